"""Judged examples: their canonical form, the formats they come in, and what is wrong with them."""
