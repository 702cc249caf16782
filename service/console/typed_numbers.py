"""Whole numbers in addresses and forms, which may be anything that somebody has typed."""

# Integers of 64 bits have them all. Python reads no more than 4,300 and fails at longer ones.
_DIGITS = 18


def typed_number(text: str, digits: int = _DIGITS) -> int | None:
    """Return the whole number from 0 on that a text is; None for any other text, and for more digits than that."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None
