"""Text in HTML with signs that would begin a heading, code or a rule in Markdown, which they are not.

The converter leaves them as they are. So others stand for them while it works, which no text has, and where one begins
a line then, a backslash goes before it.
"""

import re

# The last one begins HTML that goes on over empty lines.
_BEGINNING = re.compile(
    r"^[^\S\n]*(?:#{1,6}(?=\s|\Z)|(?:=+|-+)(?=[ \t]*$)|```|~~~|<(?=[!?]|(?:script|pre|style|textarea)\b))",
    re.MULTILINE | re.IGNORECASE,
)
# A line that would end the fence around a block of code, as one of a page about Markdown.
_FENCE = re.compile(r"^ {0,3}(?=```+[ \t]*$)", re.MULTILINE)
_SIGNS = "#`~<=-"
# Code points that Unicode keeps from being characters.
_HIDDEN = {sign: chr(0xFDD0 + number) for number, sign in enumerate(_SIGNS)}
_SHOWN = str.maketrans({hidden: sign for sign, hidden in _HIDDEN.items()})
# An underline is one below a line alone.
_ESCAPED = re.compile(
    rf"^[ ]*(?=[{''.join(_HIDDEN[sign] for sign in '#`~<')}])|(?<=[^\n]\n)[ ]*(?=[{_HIDDEN['=']}{_HIDDEN['-']}])",
    re.MULTILINE,
)


def hidden(content: bytes, encoding: str) -> bytes:
    """The page in UTF-8, with other signs in place of those that would begin a block of Markdown."""
    from bs4 import BeautifulSoup  # noqa: PLC0415
    from bs4.element import NavigableString  # noqa: PLC0415

    page = BeautifulSoup(content, "html.parser", from_encoding=encoding)
    for text in page.find_all(string=_BEGINNING):
        # Comments and scripts are of other types.
        if type(text) is NavigableString:
            # With four spaces before it a fence ends nothing.
            text.replace_with(_FENCE.sub("    ", text) if text.find_parent("pre") else _BEGINNING.sub(_hide, text))
    return str(page).encode(errors="replace")


def _hide(beginning: re.Match[str]) -> str:
    sign = beginning[0].lstrip()
    return beginning[0].replace(sign[0], _HIDDEN[sign[0]], 1)


def shown(markdown: str) -> str:
    """The Markdown with its own signs again."""
    return _ESCAPED.sub(r"\g<0>\\", markdown).translate(_SHOWN)
