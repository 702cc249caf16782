"""Tables and fenced code in Markdown: a part of one says little without the names of the columns, or the fence."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Block:
    """The rows or the code are from `begin` up to `end` of the text, and what opens the block is from `opening` on.

    `head` goes before a part that begins within the block, and `tail` behind one that ends there.
    """

    opening: int
    begin: int
    end: int
    head: str
    tail: str


def blocks_of(text: str) -> Iterator[Block]:
    """Yield the tables of a text that name their columns, and its fenced code."""
    # The parser would count a lonely carriage return as a line, too.
    if "\r" in text:
        return
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.map is not None and token.type in ("table_open", "fence"):
            first, end = token.map
            head, tail = _around(token, lines[first:end])
            begin, close = starts[first + 1 + head.count("\n")], starts[end] - 1 - len(tail)
            if head and text[begin:close].strip():
                yield Block(starts[first], begin, close, head, tail and f"\n{tail}")


def _around(token: Token, lines: list[str]) -> tuple[str, str]:
    """The head and the tail of each part of the block; both are empty if they would say nothing."""
    if token.type == "fence":
        # The end of the text closes one as well.
        return lines[0].strip(), token.markup if lines[-1].strip() == token.markup else ""
    head = "\n".join(line.strip() for line in lines[:2])
    return (head, "") if _WORD.search(head) else ("", "")
