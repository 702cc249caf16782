"""A query's way: select, rank, fuse, fetch."""
