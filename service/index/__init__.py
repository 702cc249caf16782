"""Vectors and their search. Everything here is derived from the corpus and can be rebuilt."""
