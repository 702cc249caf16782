"""The store of the corpus in SQLite."""
