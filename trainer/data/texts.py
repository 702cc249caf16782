"""When texts count as equal, and ids for texts that came without one."""

import hashlib

from service.corpus.sides import words_of

# 64 bits: among a million texts, two share an id with a chance of 3 in 100 million.
_ID_DIGITS = 16


def normalised(text: str) -> str:
    """The text without case and with single spaces. Texts that are equal in this form count as equal."""
    return " ".join(text.casefold().split())


def asked(question: str) -> str:
    """The words of a question, whatever their case, order and punctuation, as the service compares questions.

    Questions that are equal in this form count as one.
    """
    return " ".join(words_of(question))


def content_id(text: str) -> str:
    """An id made from the text, so that a text has one id in every file."""
    return hashlib.sha256(text.encode()).hexdigest()[:_ID_DIGITS]
