"""The word of users: thumbs on documents, thumbs on whole answers, and the documents that answers used.

Each voice has one vote for a pair. Its latest thumb on the document decides; without one, the strongest sign that the
document was of use. A thumb up on a whole answer is such a sign for the documents that the answer cites. A thumb down
on an answer is no sign: the fault may lie with the writer, so it judges nothing. A thumb that was withdrawn is none.

Events are kept as rows of numbers and put into order at the end, so neither their order nor their repetition changes
the outcome.
"""

from array import array
from hashlib import blake2b

import numpy as np

from service.learning.base import Event
from service.learning.columns import Floats, as_array, sums
from service.learning.pairs import Integers, Pairs
from service.learning.voices import voice_of

# Hundredths of a thumb on the document itself: whole numbers add up to the same sum in any order.
_THUMB = 100
_LIKED = 40
_USED = {"cite": 20, "copy": 30}
# The thumbs: one that was withdrawn is none.
_GOOD, _BAD, _WITHDRAWN = 1, 0, -1
_THUMBS = {"good": _GOOD, "bad": _BAD, "withdraw": _WITHDRAWN}
# Stronger than any sign: who gave a thumb has said it all.
_SAID = 1000


class Votes:
    """Takes events one after the other: thumbs, `cite` and `copy`; others are passed over."""

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs
        # Pair or answer, voice, microsecond, hash of the event's id, and the thumb.
        self._thumbs = _Rows(5)
        self._answers = _Rows(5)
        # Pair, voice, and how strong the sign is.
        self._used = _Rows(3)
        # Answer and pair.
        self._cited = _Rows(2)

    def take(self, event: Event) -> None:
        thumb = _THUMBS.get(event.action)
        if thumb is None and event.action not in _USED:
            return
        voice = hash(voice_of(event))
        pairs = [self._pairs.number(event.collection, event.query, document) for document in event.documents]
        if thumb is not None:
            for thing in pairs or [_answer(event)]:
                at = round(event.at.timestamp() * 1e6)
                row = (thing, voice, at, _stable_hash(event.id), thumb)
                (self._thumbs if pairs else self._answers).add(*row)
            return
        for pair in pairs:
            self._used.add(pair, voice, _USED[event.action])
            if event.action == "cite":
                self._cited.add(_answer(event), pair)

    def weights(self) -> Floats:
        """The weight of the votes for each pair, by its number: above 0 for good, below 0 for bad, and never 1 or -1.

        It is (good - bad) / (good + bad + 1) of the votes: one thumb gives 0.5, three against one 0.4, and no vote 0.
        """
        size = len(self._pairs)
        latest = _latest(self._thumbs.columns())
        pair, voice, *_, thumb = latest[:, latest[-1] != _WITHDRAWN]
        good = _THUMB * sums(pair, (thumb == _GOOD).astype(np.float64), size)
        bad = _THUMB * sums(pair, (thumb == _BAD).astype(np.float64), size)
        used = [self._used.columns(), self._liked(), np.array([pair, voice, np.full(len(pair), _SAID)])]
        sign_pair, _, sign = _latest(np.concatenate(used, axis=1))
        signs = sums(sign_pair, np.where(sign == _SAID, 0.0, sign), size)
        # A machine cites, too, and however often it does, that is no more than the word of one person.
        good += np.minimum(signs, _THUMB)
        weights: Floats = (good - bad) / (good + bad + _THUMB)
        return weights

    def _liked(self) -> Integers:
        """The documents that liked answers cite: pair, voice and strength, (3, n)."""
        latest = _latest(self._answers.columns())
        answer, voice, *_ = latest[:, latest[-1] == _GOOD]
        cited, pair = _latest(self._cited.columns(), key=2)
        first, end = np.searchsorted(cited, answer), np.searchsorted(cited, answer, side="right")
        times = end - first
        rows = np.repeat(first - np.cumsum(times) + times, times) + np.arange(times.sum())
        return np.array([pair[rows], np.repeat(voice, times), np.full(len(rows), _LIKED)])


class _Rows:
    """Rows of so many numbers, 8 bytes each."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._numbers = array("q")

    def add(self, *row: int) -> None:
        self._numbers.extend(row)

    def columns(self) -> Integers:
        """The rows as columns, (width, n)."""
        return as_array(self._numbers).reshape(-1, self._width).T


def _latest(columns: Integers, key: int = 2) -> Integers:
    """The columns, (width, m), of the greatest row of each group that shares the first `key` numbers, sorted."""
    ordered = columns[:, np.lexsort(columns[::-1])]
    last = np.ones(ordered.shape[1], dtype=bool)
    last[:-1] = (ordered[:key, 1:] != ordered[:key, :-1]).any(axis=0)
    latest: Integers = ordered[:, last]
    return latest


def _answer(event: Event) -> int:
    """The answer that the event is about: the one of its search, or else of its query for this voice."""
    return hash(event.search or (event.collection, event.query, voice_of(event)))


def _stable_hash(text: str) -> int:
    """A hash that is the same in every process: of two thumbs of one moment, always the same one counts."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)
