"""Callers: the keys they identify themselves with, and the limits of each key."""
