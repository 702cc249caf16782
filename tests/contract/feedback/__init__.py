"""The contract of a store of searches and events, over each implementation of it."""
