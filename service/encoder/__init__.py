"""Texts to vectors: loaded checkpoints, and the scheduler through which all of them run."""
