"""Markdown, as the pieces of text below its headings."""

import re
from collections.abc import Iterator
from itertools import pairwise

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from instar.loading.piece import Piece

_FENCE = "---"
_BREAKS = frozenset({"softbreak", "hardbreak"})
_WORD = re.compile(r"\w")


def pieces(text: str, title: str) -> Iterator[Piece]:
    """Yield the text below each heading that has one. `title` stands above a text before the first heading.

    The title of the front matter (YAML, as of Jekyll, Hugo and Docusaurus) goes before `title`.
    """
    return below_headings(*_without_front_matter(_with_line_feeds(text), title))


def below_headings(text: str, title: str) -> Iterator[Piece]:
    """Yield the pieces of a text in which lines across the page hold no front matter, as one that was converted.

    Headings are those of CommonMark, so that a comment within a code block is none.
    """
    text = _with_line_feeds(text)
    # The parser counts these lines alone, and a page break within one ends none.
    lines = text.split("\n")
    tokens = MarkdownIt("commonmark").parse(text)
    headings: list[tuple[int, str]] = []
    begin = 0
    for token, inline in pairwise(tokens):
        # One within a quotation or a list is no heading of the page.
        if token.type != "heading_open" or token.level or token.map is None:
            continue
        yield from _piece(headings, title, lines[begin : token.map[0]])
        level = int(token.tag[1:])
        headings = [heading for heading in headings if heading[0] < level]
        headings.append((level, _name(inline)))
        begin = token.map[1]
    yield from _piece(headings, title, lines[begin:])


def _name(heading: Token) -> str:
    """The heading in one line, without marks."""
    return "".join(" " if child.type in _BREAKS else child.content for child in heading.children or ()).strip()


def _with_line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _piece(headings: list[tuple[int, str]], title: str, lines: list[str]) -> Iterator[Piece]:
    text = "\n".join(lines).strip()
    # A line across the page alone is no text.
    if _WORD.search(text):
        yield Piece(tuple(name for _, name in headings if name) or (title,), text)


def _without_front_matter(text: str, title: str) -> tuple[str, str]:
    text = text.removeprefix("\ufeff")
    head, fence, rest = text.removeprefix(f"{_FENCE}\n").partition(f"\n{_FENCE}\n")
    if not text.startswith(f"{_FENCE}\n") or not fence:
        return text, title
    try:
        # With this loader everything is a string, even a date that there is not, as 30 February.
        said = yaml.load(head, yaml.BaseLoader)  # noqa: S506
    except yaml.YAMLError:
        return text, title
    if not isinstance(said, dict):
        return text, title
    return rest, str(said.get("title") or title)
