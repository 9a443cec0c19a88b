"""How fast and how large an intake is, beside what a user would pick instead: `make bench`."""
