"""Ships pages of a store to its vaults and brings them back; knows folders, pages and vaults, not loans."""
