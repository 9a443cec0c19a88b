"""Reads delimited text in whatever encoding it was saved."""
