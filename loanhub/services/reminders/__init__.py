"""Reminds of dues, promises and follow-ups: planned from facts, re-checked, written and sent."""
