"""The contract with the trainer: the format, its copies, its signatures."""
