"""A document's way into the corpus and into every index."""
