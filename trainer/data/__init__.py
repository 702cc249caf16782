"""Judged examples: their canonical form, the formats that they come in, and their problems."""
