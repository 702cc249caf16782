"""When two texts are the same, and what id a text has that came without one."""

import hashlib

# 64 bits: in a million texts two get one id with a chance of 3 in 100 million.
_ID_DIGITS = 16


def normalised(text: str) -> str:
    """What is left of a text when case and spacing do not count; equal for texts that say the same to a reader."""
    return " ".join(text.casefold().split())


def content_id(text: str) -> str:
    """An id made of the text itself, so that the same text has the same id in every file."""
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]
