"""Callers: their keys, and how much each may ask."""
