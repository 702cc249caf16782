"""Tables in Markdown: a passage that begins within one says nothing without the names of the columns."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt

_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a table are from `begin` up to `end` of the text; `head` is the row above them with its line."""

    begin: int
    end: int
    head: str


def tables_of(text: str) -> Iterator[Table]:
    """Yield the tables of a text that have names of columns."""
    # The parser would count a lonely carriage return as a line, too.
    if "|" not in text or "\r" in text:
        return
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "table_open" and token.map is not None:
            first, end = token.map
            head = "\n".join(line.strip() for line in lines[first : first + 2])
            if _WORD.search(head):
                yield Table(starts[first + 2], starts[end], head)
