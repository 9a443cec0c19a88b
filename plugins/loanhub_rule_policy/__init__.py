"""Rates by the rules of the institution's written policy."""
