"""Benchmarks: commands that print tables. Nothing is asserted here, because machines are noisy."""
