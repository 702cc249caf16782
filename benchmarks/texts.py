"""A corpus of any size with the words and lengths of the sample corpus."""

import random
import re

from service import sample


def passages(count: int, seed: int = 0, words: int = 90) -> list[str]:
    """`count` texts of at least `words` words (90 are some 130 tokens), made of sentences of the sample corpus."""
    pick = random.Random(seed)
    sentences = [part for text in sample.load()["corpus"].values() for part in re.split(r"(?<=[.!?]) ", text)]
    passages = []
    for number in range(count):
        text: list[str] = []
        while len(text) < words:
            text += pick.choice(sentences).split()
        passages.append(f"{' '.join(text)} No. {number}.")
    return passages


def questions() -> list[str]:
    """The questions of the sample corpus."""
    return list(sample.load()["queries"].values())
