"""The requests and answers of routes, a file for each group."""
