"""The requests that are read and the answers that are written, a file for each group of routes."""
