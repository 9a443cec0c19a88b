"""Runs the office: changes that wait for a person, sealed papers, and what is wrong with a home."""
