"""Equality of texts, and ids for texts that came without one."""

import hashlib

# 64 bits: in a million texts two get one id with a chance of 3 in 100 million.
_ID_DIGITS = 16


def normalised(text: str) -> str:
    """The text without case and spacing; it is equal for texts that read the same."""
    return " ".join(text.casefold().split())


def content_id(text: str) -> str:
    """An id made from the text itself, so that a text has one id in every file."""
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]
