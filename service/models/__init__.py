"""Loaded checkpoints, which turn texts into vectors."""
