"""Who works here: accounts are made, moved and closed, and people sign in and out."""
