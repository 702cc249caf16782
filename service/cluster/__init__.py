"""Coordination of the processes on one corpus: which of them may change the set of generations."""
