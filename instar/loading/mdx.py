"""MDX, as the Markdown that is in it: without imports, exports, comments, and the tags of components.

The text within components stays, without the indentation that it has there: in MDX that means nothing, and in Markdown
four spaces make a block of code, in which a fence is no fence. Modules (ESM) are blocks that end at an empty line, as
MDX 3 has them.
"""

import re

_FENCE = re.compile(r"^\s*(```+|~~~+)")
_MODULE = re.compile(r"^(import|export)\b[^\n]*(?:\n(?!\s*\n)[^\n]*)*", re.MULTILINE)
_COMMENT = re.compile(r"\{/\*.*?\*/\}", re.DOTALL)
_TAG = re.compile(r"</?[A-Z]|</?>")
# The tags of a component on lines of their own.
_OPENING = re.compile(r"^\s*<[A-Z](?!.*</).*(?<!/)>\s*$")
_CLOSING = re.compile(r"^\s*</[A-Z][\w.]*>\s*$")


def markdown_of(text: str) -> str:
    """Return the Markdown of a page in MDX. Blocks of code stay as they are."""
    parts: list[str] = []
    prose: list[str] = []
    fence = ""
    # How far the text within each open component is indented; None: nothing of it was read yet.
    margins: list[int | None] = []
    for indented in text.splitlines(keepends=True):
        line = _within(margins, indented)
        mark = _FENCE.match(line)
        if fence:
            parts.append(line)
            # A longer fence holds shorter ones.
            if mark and mark[1].startswith(fence):
                fence = ""
        elif mark:
            parts += [_plain("".join(prose)), line]
            prose, fence = [], mark[1]
        else:
            if _OPENING.match(line):
                margins.append(None)
            elif margins and _CLOSING.match(line):
                margins.pop()
            prose.append(line)
    return "".join([*parts, _plain("".join(prose))])


def _within(margins: list[int | None], line: str) -> str:
    """The line without the margin of the component that it is in, which the first line of text there decides."""
    if not margins or not line.strip():
        return line
    indentation = len(line) - len(line.lstrip(" "))
    if margins[-1] is None and not _OPENING.match(line):
        margins[-1] = indentation
    return line[min(indentation, margins[-1] or 0) :]


def _plain(prose: str) -> str:
    prose = _COMMENT.sub("", _MODULE.sub("", prose))
    kept: list[str] = []
    end = 0
    while tag := _TAG.search(prose, end):
        kept.append(prose[end : tag.start()])
        end = _end_of_tag(prose, tag.start())
    return "".join([*kept, prose[end:]])


def _end_of_tag(prose: str, begin: int) -> int:
    """The end of the tag at `begin`. An expression in braces may have signs that would end it."""
    depth = 0
    for place in range(begin, len(prose)):
        if prose[place] == "{":
            depth += 1
        elif prose[place] == "}":
            depth -= 1
        elif prose[place] == ">" and depth <= 0:
            return place + 1
    # It does not end, so it is no tag.
    return begin + 1
