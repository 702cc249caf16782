"""The corpus in one SQLite database."""
