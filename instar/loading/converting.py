"""Other formats, as Markdown: HTML, PDF, DOCX and what else markitdown reads."""

import re
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from instar.loading.piece import Unreadable

_LONGEST_REASON = 200
EXTRA = "reading it needs `pip install 'instar[load]'`"
# What a page has beside its text.
_BESIDE = ("nav", "header", "footer", "aside", "script", "style", "template", "noscript", "form", "button", "svg")


def from_html(content: bytes) -> str:
    """The text of a page as Markdown: of its main part, if it names one, without navigation."""
    try:
        from bs4 import BeautifulSoup  # noqa: PLC0415
    except ImportError as error:
        raise Unreadable(EXTRA) from error
    page = BeautifulSoup(content, "html.parser")
    main = page.find("main") or page.find("article") or page.find(None, {"role": "main"}) or page.body or page
    for beside in main.find_all(_BESIDE):
        beside.decompose()
    # Documentation links each heading to itself, by a sign that is no word of it.
    for link in main.find_all("a", class_=re.compile("headerlink|anchor|hash-link")):
        link.decompose()
    return converted(str(main).encode(), ".html")


def from_file(path: Path) -> str:
    """The text of a document as Markdown."""
    return converted(path.read_bytes(), path.suffix.lower())


def converted(content: bytes, suffix: str, charset: str | None = None) -> str:
    """The Markdown of a document. The charset is guessed from its first letters, and wrongly so, if nobody names it."""
    try:
        converter = _markitdown()
    except ImportError as error:
        raise Unreadable(EXTRA) from error
    from markitdown import MarkItDownException, StreamInfo  # noqa: PLC0415

    try:
        kind = StreamInfo(extension=suffix, charset=charset)
        text: str = converter.convert_stream(BytesIO(content), stream_info=kind).markdown
    except MarkItDownException as error:
        raise broken(_reason(error)) from error
    # A PDF may hold halves of characters, which UTF-8 does not have.
    return text.encode(errors="replace").decode()


@cache
def _markitdown() -> Any:
    """A converter of what we say that we read. Its own fallback takes a broken document for a text."""
    from markitdown import MarkItDown, converters  # noqa: PLC0415

    converter = MarkItDown(enable_builtins=False, enable_plugins=False)
    for kind in (
        converters.HtmlConverter,
        converters.PdfConverter,
        converters.DocxConverter,
        converters.PptxConverter,
        converters.XlsxConverter,
        converters.EpubConverter,
    ):
        converter.register_converter(kind())
    return converter


def _reason(error: Exception) -> str:
    """The last of the reasons that markitdown lists, without the names of its classes."""
    said = str(error).strip().rpartition("message: ")[2] or type(error).__name__
    return said.splitlines()[0][:_LONGEST_REASON]


def broken(reason: str) -> Unreadable:
    """The refusal of a document for which its library has a reason, in one line or more."""
    said = reason.strip().splitlines()[0][:_LONGEST_REASON]
    return Unreadable(f"it cannot be converted ({said}): is it whole, and what its name says?")
