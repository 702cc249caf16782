"""Benchmarks: each is a command that prints a table. Nothing here is asserted, because machines are noisy."""
