"""The tests; a package, so that its helpers and `python -m tests.cases` can be imported."""
