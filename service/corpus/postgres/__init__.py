"""The store of the corpus in PostgreSQL, which several processes may use at a time."""
