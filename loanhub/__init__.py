"""LoanHub: customers, loans, credit and follow-ups of a lending institution, out of its spreadsheets."""
