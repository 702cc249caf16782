"""Queries that are nearly equal: a word is misspelt, left out, or has another ending.

Two queries are when they share three quarters of the trigrams of their words, and all words with digits: "error 401" is
not "error 402". The share is estimated by MinHash (Broder 1997), and those that are worth comparing are found by bands
of it (Indyk and Motwani 1998): of two queries that share four fifths, one in a hundred is overlooked. A sketch outlives
the text that it was made of, and the text cannot be read from it.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import shake_128
from typing import Protocol

import numpy as np

_HASHES, _BAND = 96, 6
_SHARE = 0.75


class Sketches(Protocol):
    """The sketches of all queries that were ever judged, by the queries' nodes."""

    def sharing(self, bands: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
        """The nodes and sketches of queries that have one of these bands, not more than are compared in a moment."""

    def add(self, node: bytes, sketch: bytes, bands: Sequence[bytes]) -> None: ...


def near_queries(new: Mapping[bytes, Sequence[str]], sketches: Sketches) -> dict[bytes, list[bytes]]:
    """For the node of each new query, which comes with its words: the nodes of earlier queries that nearly equal it.

    Those before it in `new` are among them. The sketches of the new ones are added.
    """
    near = {}
    for node, words in new.items():
        sketch = sketch_of(words)
        bands = _bands(sketch)
        candidates = list(sketches.sharing(bands))
        close = alike(sketch, [theirs for _, theirs in candidates])
        near[node] = [other for (other, _), is_close in zip(candidates, close, strict=True) if is_close]
        sketches.add(node, sketch, bands)
    return near


def sketch_of(words: Sequence[str]) -> bytes:
    """Return 96 bytes. Two sketches have about as many equal bytes as their words have equal trigrams, as a share."""
    numbers = " ".join(sorted({word for word in words if any(map(str.isdigit, word))}))
    # Padded as pg_trgm does it. A query without words has one trigram then.
    padded = [f"  {word} " for word in words or [""]]
    trigrams = {word[start : start + 3] for word in padded for start in range(len(word) - 2)}
    hashes = [shake_128(f"{trigram}\0{numbers}".encode()).digest(4 * _HASHES) for trigram in trigrams]
    # The byte of the minimum that says the least about how small it is.
    least = np.frombuffer(b"".join(hashes), dtype="<u4").reshape(-1, _HASHES).min(axis=0)
    return bytes(least.astype(np.uint8))


def alike(sketch: bytes, others: Sequence[bytes]) -> list[bool]:
    """For each of the other sketches: whether its query and that of `sketch` are nearly equal."""
    theirs = np.frombuffer(b"".join(others), dtype=np.uint8).reshape(-1, _HASHES)
    shares = (theirs == np.frombuffer(sketch, dtype=np.uint8)).mean(axis=1)
    return [bool(share >= _SHARE) for share in shares]


def _bands(sketch: bytes) -> list[bytes]:
    return [bytes([start]) + sketch[start : start + _BAND] for start in range(0, _HASHES, _BAND)]
