"""Keeps the records of one institution in an encrypted SQLite file."""
