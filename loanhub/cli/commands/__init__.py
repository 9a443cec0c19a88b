"""The commands that are no acts, or that do more than ask one."""
