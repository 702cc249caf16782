"""Own documents: which files there are, what is read in them, how they are cut, and what of it is sent."""
