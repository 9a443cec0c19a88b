"""What each command of `loanhub-sync` does, a module a job."""
