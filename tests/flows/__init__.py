"""Jobs of a loan office from end to end, on a real home."""
