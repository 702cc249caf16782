"""The commands of `python -m trainer`, one file for each group."""
