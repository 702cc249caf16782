"""The truth: documents, judgements, and the records of generations and jobs."""
