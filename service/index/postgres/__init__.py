"""Stored vectors in PostgreSQL: what one replica has embedded, all others read."""
