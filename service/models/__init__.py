"""Texts to vectors: loaded checkpoints."""
