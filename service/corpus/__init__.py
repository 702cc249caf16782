"""The truth: documents, and the records of generations and jobs, in one SQLite database."""
