"""Finds the words of a query in texts, as a search by keyword finds them."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from service.corpus.base import Span
from service.index.keywords import words
from service.index.keywords.analysis import Analysis, Clause, pairs


def spans(analysis: Analysis, clauses: Sequence[Clause], texts: Sequence[str]) -> list[list[Span]]:
    """Return for each text the spans that a search for the clauses finds in it, ascending and disjoint."""
    return [_spans(analysis, clauses, text) if clauses else [] for text in texts]


def _spans(analysis: Analysis, clauses: Sequence[Clause], text: str) -> list[Span]:
    origins = words.origins(text)
    stems = analysis.stems(" ".join(word for word, _, _ in origins))
    wanted = {clause.stems for clause in clauses}
    lengths: dict[str, set[int]] = {}
    for phrase in wanted:
        lengths.setdefault(phrase[0], set()).add(len(phrase))
    ranges: list[Span] = []
    for start, stem in enumerate(stems):
        ends = [start + length for length in lengths.get(stem, ()) if start + length <= len(stems)]
        ranges += [(start, end) for end in ends if tuple(stems[start:end]) in wanted]
    if not text.isascii():
        for start, neighbours in enumerate(pairwise(stems)):
            if ("".join(neighbours),) in wanted and pairs(neighbours):
                ranges.append((start, start + 2))
    # One character can stand for several words, as ¼ does.
    return _merged((origins[first][1], origins[last - 1][2]) for first, last in _merged(ranges))


def _merged(ranges: Iterable[Span]) -> list[Span]:
    """Merge the ranges [start, end) that overlap."""
    merged: list[Span] = []
    for start, end in sorted(ranges):
        if merged and start < merged[-1][1]:
            first, last = merged.pop()
            merged.append((first, max(last, end)))
        else:
            merged.append((start, end))
    return merged
