"""The commands of `instar train`, one file for each group."""
