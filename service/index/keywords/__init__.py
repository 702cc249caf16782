"""The index of words: BM25 over the texts of all documents, derived from the corpus and rebuilt from it."""
