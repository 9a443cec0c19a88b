"""Folders of odd and hostile files, taken in by the real way in: `python -m tests.corpus DIR`.

No file of anybody else lies in here. What became of each is kept by name in `expected.csv`; the folders
themselves are brought along by whoever runs the sweep.
"""
