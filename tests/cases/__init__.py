"""Published and worked cases with their source, and a runner: `python -m tests.cases [DIR]`."""
