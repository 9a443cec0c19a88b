"""Kill, tear and lie, then look whether anything was lost: briefly in `make test`, wholly in `make prove`."""
