"""Searches and events in one SQLite database beside the corpus."""
