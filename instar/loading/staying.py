"""The texts stored of an origin that are in its files still, whatever ids they have and however they are cut."""

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from heapq import nsmallest
from zlib import crc32

# Writing without spaces is taken by the sign, because a clause of it looks like a word.
_WORD = re.compile(
    r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]+"
)
# Words that follow each other are one mark of a text: single words are in any other text of the language, too.
_TOGETHER = 3
# Marks that are kept of a text: a sample, by which most of it is told from little of it.
_KEPT = 16
_BITS = 32


def sample(text: str) -> "array[int]":
    """Return the marks by which a text is known again: all of a short one."""
    return array("I", nsmallest(_KEPT, _marks(text)))


def _marks(text: str) -> set[int]:
    words = _WORD.findall(text.casefold())
    if len(words) < _TOGETHER:
        return {crc32(" ".join(words or [text]).encode(errors="replace"))}
    following = zip(*(words[begin:] for begin in range(_TOGETHER)), strict=False)
    return {crc32(" ".join(some).encode(errors="replace")) for some in following}


class Staying:
    """Counts the stored texts of which most is in what was read. The count never falls."""

    def __init__(self, samples: Sequence[Sequence[int]]) -> None:
        """Take a sample of each stored text. Texts are known by their places in this order."""
        self.count = 0
        self._samples = samples
        # A mark and the place of a text that has it, in one number.
        self._places = array("Q", sorted(mark << _BITS | place for place, one in enumerate(samples) for mark in one))
        self._met = array("B", bytes(len(samples)))
        self._seen: set[int] = set()
        self._stays = bytearray(len(samples))

    def read(self, text: str) -> None:
        """Take a text of a file."""
        self._see(_marks(text))

    def keep(self, places: Iterable[int]) -> None:
        """Take stored texts as they are, as those of an unchanged passage, or of a file that cannot be read."""
        for place in places:
            self._see(self._samples[place])
            self._stay(place)

    def first_gone(self) -> int:
        """Return the place of the first text that does not stay."""
        return self._stays.index(0)

    def _see(self, marks: Iterable[int]) -> None:
        for mark in marks:
            if mark in self._seen:
                continue
            begin = bisect_left(self._places, mark << _BITS)
            for entry in self._places[begin : bisect_left(self._places, (mark + 1) << _BITS, begin)]:
                self._seen.add(mark)
                place = entry & (1 << _BITS) - 1
                self._met[place] += 1
                if 2 * self._met[place] > len(self._samples[place]):
                    self._stay(place)

    def _stay(self, place: int) -> None:
        self.count += not self._stays[place]
        self._stays[place] = 1
