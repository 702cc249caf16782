"""Weak questions: sentences of documents, each to be answered by the document that it was taken out of.

They cost no judgement. Which part of a search finds the rest of the document says how good that part is on these
documents, as the inverse cloze task trains a retriever without questions (Lee, Chang and Toutanova 2019).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from service.index.keywords.words import MOST_PHRASES, phrases

_SENTENCES = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])|\n+")
# Different words of a sentence that can be a question, and the least of what is left.
_LEAST, _MOST, _LEFT = 4, 40, 12
# Characters on each side of the sentence that are read. A long document is found by a part of it.
_AROUND = 600


@dataclass(frozen=True, slots=True)
class WeakQuestion:
    """A sentence of the document `seq`, the passage that it stands in, and the `rest` of that passage without it."""

    seq: int
    text: str
    passage: str
    rest: str


def made_of(texts: Iterable[tuple[int, str]], most: int) -> list[WeakQuestion]:
    """Make a question of each of up to `most` documents, (sequence number, text), always the same ones."""
    questions: list[WeakQuestion] = []
    for seq, text in texts:
        question = _question(seq, text)
        if question is not None:
            questions.append(question)
            if len(questions) == most:
                break
    return questions


def _question(seq: int, text: str) -> WeakQuestion | None:
    """Take one sentence out of the document, which depends on `seq`; None if nothing would be left."""
    ends = [match.end() for match in _SENTENCES.finditer(text)]
    spans = list(zip([0, *ends], [*ends, len(text)], strict=True))
    suitable = [(start, end) for start, end in spans if _LEAST <= _words(text[start:end]) <= _MOST]
    if not suitable:
        return None
    # Any other multiplier would do: neighbours should not all give their first sentence.
    start, end = suitable[seq * 7919 % len(suitable)]
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    rest = f"{before.strip()} {after.strip()}".strip()
    if _words(rest) < _LEFT:
        return None
    sentence = text[start:end].strip()
    return WeakQuestion(seq, sentence, f"{before}{sentence} {after}", rest)


def _words(text: str) -> int:
    return len(phrases(text, MOST_PHRASES))
