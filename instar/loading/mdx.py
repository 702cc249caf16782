"""MDX, as the Markdown that is in it: without imports, exports, comments, and the tags of components.

The text within components stays, without the indentation that it has there: in MDX that means nothing, and in Markdown
four spaces make a block of code, in which a fence is no fence. Modules (ESM) are blocks that end at an empty line and
do not begin within a paragraph, as MDX 3 has them.
"""

import re

# A fence, maybe within a list or a quotation, or behind a tag. A line with more backticks behind it has a span of code.
_FENCE = re.compile(r"^(\s*<[A-Z][^`\n]*>)?(\s*(?:(?:[-*+]|\d+[.)])\s+|>\s*)*(```+(?!.*`)|~~~+))")
_END = re.compile(r"^(\s*(?:>\s*)*(```+|~~~+))\s*(</[A-Z][\w.]*>\s*)?$")
# What is more than text, whichever begins first: within a span of code nothing else does.
_MARK = re.compile(
    r"(?P<code>(?<![\\`])(`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)\2(?!`))"
    r"|(?P<module>^(?:import|export)\b[^\n]*(?:\n(?!\s*\n)[^\n]*)*)"
    r"|(?P<comment>\{/\*.*?\*/\})"
    r"|(?P<tag></?[A-Z]|</?>)",
    re.DOTALL | re.MULTILINE,
)
# A line after which no paragraph goes on: an empty one, a heading, a line across the page, the end of front matter.
_ENDING = re.compile(r"\s*|#{1,6}\s.*|[-=*_]{3,}\s*")
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
        if fence:
            end = _END.match(line)
            # A longer fence holds shorter ones.
            if end and end[2].startswith(fence):
                fence = ""
                # A tag behind it would leave it open.
                if end[3]:
                    line = f"{end[1]}\n"
                    margins[-1:] = []
            parts.append(line)
        elif mark := _FENCE.match(line):
            if mark[1]:
                margins.append(margins[-1] if margins else 0)
            parts += [_plain("".join(prose)), "\n" if mark[1] else "", line[mark.start(2) :]]
            prose, fence = [], mark[3]
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
    kept: list[str] = []
    end = 0
    while mark := _MARK.search(prose, end):
        kept.append(prose[end : mark.start()])
        end = mark.end()
        if mark["tag"]:
            end = _end_of_tag(prose, mark.start())
        elif mark["code"]:
            kept.append(mark[0])
        elif mark["module"] and not _ENDING.fullmatch("".join(kept).removesuffix("\n").rpartition("\n")[2]):
            # A word of the paragraph.
            end = mark.start() + len("import")
            kept.append(prose[mark.start() : end])
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
