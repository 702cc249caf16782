"""Instar's service: embeds, stores, searches, and replaces its model under live traffic."""

__version__ = "0.1.0"
