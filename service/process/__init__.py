"""One process: its server, its log, and its commands."""
