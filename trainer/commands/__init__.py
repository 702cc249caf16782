"""The commands of `python -m trainer`, a file for each group."""
