"""The way of a query: select, rank, fuse, fetch."""
