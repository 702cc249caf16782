"""Vectors and how they are searched: everything here is derived from the corpus and can be rebuilt."""
