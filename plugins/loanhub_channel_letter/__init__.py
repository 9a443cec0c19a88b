"""Writes reminders as letters to print."""
