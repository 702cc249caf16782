"""The store of the corpus in memory, for unit tests: everything that `service.corpus.base` promises but durability.

Each write replaces what it changes as a whole, so a read sees one moment of it and never waits.
"""
