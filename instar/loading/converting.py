"""Other formats, as Markdown: HTML, PDF, DOCX and what else markitdown reads, and reStructuredText by docutils."""

import re
from functools import cache
from io import BytesIO, StringIO
from pathlib import Path
from textwrap import dedent
from typing import Any

from instar.loading.piece import Unreadable

_LONGEST_REASON = 200
_EXTRA = "reading it needs `pip install 'instar[load]'`"
# A role that only Sphinx knows, as :ref:`the text <target>` or :class:`~package.Name`.
_ROLE = re.compile(r":[\w:.+-]+:`~?(?:([^`<]+?)\s*<[^`>]+>|([^`]+))`")
_RST_SETTINGS = {
    # 3: what is not understood stays in the tree, from which it is taken. 5: nothing stops the reading.
    "report_level": 3,
    "halt_level": 5,
    "raw_enabled": False,
    "file_insertion_enabled": False,
    "doctitle_xform": False,
    "initial_header_level": 1,
    "embed_stylesheet": False,
}
# What a page has beside its text.
_BESIDE = ("nav", "header", "footer", "aside", "script", "style", "template", "noscript", "form", "button", "svg")


def from_html(content: bytes) -> str:
    """The text of a page as Markdown: of its main part, if it names one, without navigation."""
    try:
        from bs4 import BeautifulSoup  # noqa: PLC0415
    except ImportError as error:
        raise Unreadable(_EXTRA) from error
    page = BeautifulSoup(content, "html.parser")
    main = page.find("main") or page.find("article") or page.find(None, {"role": "main"}) or page.body or page
    for beside in main.find_all(_BESIDE):
        beside.decompose()
    # Documentation links each heading to itself, by a sign that is no word of it.
    for link in main.find_all("a", class_=re.compile("headerlink|anchor|hash-link")):
        link.decompose()
    return _converted(str(main).encode(), ".html")


def from_file(path: Path) -> str:
    """The text of a document as Markdown."""
    return _converted(path.read_bytes(), path.suffix.lower())


def from_rst(text: str) -> str:
    """The text of a page in reStructuredText as Markdown, with the words below what only Sphinx knows."""
    try:
        from docutils.core import publish_from_doctree  # noqa: PLC0415
    except ImportError as error:
        raise Unreadable(_EXTRA) from error
    page: bytes = publish_from_doctree(_tree(text), writer="html5", settings_overrides=_RST_SETTINGS)
    return _converted(page, ".html")


def _tree(text: str) -> Any:
    """The page as docutils' tree, in which an unknown directive has left the text below it."""
    from docutils import nodes  # noqa: PLC0415
    from docutils.core import publish_doctree  # noqa: PLC0415

    plain = _ROLE.sub(lambda role: role[1] or role[2], text)
    tree = publish_doctree(plain, settings_overrides={**_RST_SETTINGS, "warning_stream": StringIO()})
    for message in list(tree.findall(nodes.system_message)):
        source = next(message.findall(nodes.literal_block), None)
        is_unknown = "Unknown directive" in message.astext()
        within = _below(source.astext()) if source is not None and is_unknown else ""
        message.parent.replace(message, _tree(within).children if within else [])
    return tree


def _below(directive: str) -> str:
    """The text below the first line of a directive, without its options."""
    body = dedent("\n".join(directive.splitlines()[1:]))
    return re.sub(r"\A(?:\s*:[\w-]+:.*\n?)+", "", body).strip()


def _converted(content: bytes, suffix: str) -> str:
    try:
        converter = _markitdown()
    except ImportError as error:
        raise Unreadable(_EXTRA) from error
    from markitdown import MarkItDownException, StreamInfo  # noqa: PLC0415

    try:
        text: str = converter.convert_stream(BytesIO(content), stream_info=StreamInfo(extension=suffix)).markdown
    except MarkItDownException as error:
        raise Unreadable(f"it cannot be converted ({_reason(error)}): is it whole, and what its name says?") from error
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
