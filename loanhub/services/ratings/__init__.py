"""Assesses customers: features, rules over columns, the worst answer kept with reasons."""
