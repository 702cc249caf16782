"""Generations: how they are built, activated, restored, released and announced."""
