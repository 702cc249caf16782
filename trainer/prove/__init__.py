"""Proof that the tuned model is better: both models rank equal queries, a report compares them, and a gate judges."""
