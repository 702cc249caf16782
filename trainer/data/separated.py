"""The rows of a CSV or TSV file, whose quoted cells may run over several lines.

A stray quote would swallow everything up to the next quote. So an unreadable row costs its first line alone, and
reading goes on with its second line.
"""

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from trainer.data.collected import Collected
from trainer.data.lines import decoded, numbered
from trainer.data.problems import Problem, Unusable
from trainer.errors import BadData

_DELIMITERS = ",;\t"
# The most lines of a row. Without this bound, the whole file would be searched for the end of a stray quote.
_LINES = 1000


def rows(path: Path, collected: Collected) -> Iterator[tuple[str, dict[str, str]]]:
    """(location, cells by column name) for every row that has a cell for each column. Other rows become problems.

    Names are in lower case. The delimiter is the comma, semicolon or tab that occurs most often in the header.
    Raises BadData if the first line cannot be a header.
    """
    lines = numbered(path)
    header, delimiter = _header(path, next(lines, ("", b""))[1])
    ahead: deque[tuple[str, bytes]] = deque()
    while True:
        if not ahead:
            ahead.extend(islice(lines, 1))
        if not ahead:
            return
        location, line = ahead[0]
        if not line.strip():
            ahead.popleft()
            continue
        try:
            cells, taken = _record(ahead, lines, delimiter, len(header))
        except Unusable as reason:
            collected.problems.append(Problem(location, str(reason)))
            ahead.popleft()
            continue
        for _ in range(taken):
            ahead.popleft()
        yield location, dict(zip(header, cells, strict=True))


def _header(path: Path, line: bytes) -> tuple[list[str], str]:
    try:
        header = decoded(line)
        delimiter = max(_DELIMITERS, key=header.count)
        names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter, strict=True), [])]
    except (Unusable, csv.Error) as error:
        raise BadData(f"{path.name}:1: the column names cannot be read ({error}): save it as CSV in UTF-8") from error
    named = [name for name in names if name]
    if not named or len(set(named)) < len(named):
        raise BadData(f"{path.name}:1: the first line must name the columns, each by another name: correct it")
    return names, delimiter


def _record(
    ahead: deque[tuple[str, bytes]], lines: Iterator[tuple[str, bytes]], delimiter: str, width: int
) -> tuple[Sequence[str], int]:
    """The cells of the row that begins with the first line of `ahead`, and the number of its lines."""
    reader = csv.reader(_texts(ahead, lines), delimiter=delimiter, strict=True)
    try:
        cells = next(reader)
    except csv.Error as error:
        raise Unusable(f"is not CSV: {error}") from error
    if len(cells) != width:
        raise Unusable(f"has {len(cells)} cells where the header has {width}")
    return cells, reader.line_num


def _texts(ahead: deque[tuple[str, bytes]], lines: Iterator[tuple[str, bytes]]) -> Iterator[str]:
    """The lines of `ahead`, which is refilled from `lines` when it runs out."""
    for number in range(_LINES):
        if number == len(ahead):
            ahead.extend(islice(lines, 1))
        if number == len(ahead):
            return
        yield decoded(ahead[number][1]) + "\n"
