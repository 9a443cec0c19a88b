"""Reads Excel workbooks, .xlsx and .xls."""
