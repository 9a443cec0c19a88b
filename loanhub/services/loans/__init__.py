"""Shows loans: what a sheet said of them, their instalments and receipts, and lists of them."""
