"""Finds, shows and keeps people: customers, their credit, and what was said with them."""
