"""Proof that the tuned model is better: both models rank the same queries, a report compares them, a gate judges."""
