"""The jobs of a loan office, a folder each; `acts.py` in each says what may be asked."""
