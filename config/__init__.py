"""The settings, words and rules that LoanHub ships; packaged as `loanhub_defaults`."""
