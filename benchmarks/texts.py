"""A corpus of any size with the words and lengths of the sample corpus."""

import random
import re

from service import sample

_WORDS = 90


def passages(count: int, seed: int = 0) -> list[str]:
    """`count` texts of about 90 words (some 130 tokens), each of whole sentences of the sample corpus."""
    pick = random.Random(seed)
    sentences = [part for text in sample.load()["corpus"].values() for part in re.split(r"(?<=[.!?]) ", text)]
    made = []
    for number in range(count):
        words: list[str] = []
        while len(words) < _WORDS:
            words += pick.choice(sentences).split()
        made.append(f"{' '.join(words)} No. {number}.")
    return made


def questions() -> list[str]:
    """The questions of the sample corpus."""
    return list(sample.load()["queries"].values())
