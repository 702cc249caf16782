"""Searches and events in a schema of PostgreSQL."""
