"""Other formats, as Markdown: HTML, PDF, DOCX and what else markitdown reads."""

import re
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from instar.loading import literal
from instar.loading.piece import Unreadable

_LONGEST_REASON = 200
EXTRA = "reading it needs `pip install 'instar[load]'`"
# What a page has beside its text.
_BESIDE = ("nav", "footer", "aside", "script", "style", "template", "noscript", "button", "select", "svg")
# An aside of these classes is a part of the text: so docutils and others write notes.
_NOTES = re.compile(
    r"\b(admonition|callout|footnotes?|note|tip|hint|important|warning|caution|attention|danger|topic)\b"
)
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
# Classes of the links of documentation from a heading to itself.
_ANCHORS = re.compile("headerlink|anchor|hash-link")
_WORD = re.compile(r"\w")
# Some servers put a whole page into a form. One without these only asks for something.
_SAYING = ("p", *_HEADINGS, "article")


class Page(NamedTuple):
    """The text of a page in HTML as Markdown, and the title that a browser shows, which may be empty."""

    text: str
    title: str


def from_html(content: bytes) -> Page:
    """Return the main part of a page, if it names one, without navigation."""
    try:
        from bs4 import BeautifulSoup, ParserRejectedMarkup  # noqa: PLC0415
        from bs4.dammit import EncodingDetector  # noqa: PLC0415
    except ImportError as error:
        raise Unreadable(EXTRA) from error
    content, encoding = EncodingDetector.strip_byte_order_mark(content)
    # A page that names no encoding would be taken for one that few letters speak for, before UTF-8 is tried.
    if not encoding and not _names_itself(EncodingDetector.find_declared_encoding(content, is_html=True)):
        encoding = "utf-8"
    try:
        page = BeautifulSoup(content, "html.parser", from_encoding=encoding)
    except ParserRejectedMarkup as error:
        raise broken(str(error).splitlines()[-1]) from error
    titles = (title for title in page.find_all("title") if not title.find_parent("svg"))
    title = " ".join(next((title.get_text() for title in titles), "").split())
    main = page.find(_is_main) or _only_article(page) or page.body or page
    _unwrap_questions(main)
    for beside in main.find_all(_BESIDE):
        if _is_note(beside):
            # The converter takes an aside for words in a line.
            beside.name = "div"
        else:
            beside.decompose()
    for form in main.find_all("form"):
        if not form.find(_SAYING):
            form.decompose()
    for header in main.find_all("header"):
        # The title of an article stands there, and beside articles the name of the site.
        if not header.find_parent(_is_main) and not header.find_parent("article"):
            header.decompose()
    _remove_anchors(main)
    # An encoding that Python knows and HTML does not may have given halves of characters.
    return Page(converted(str(main).encode(errors="replace"), ".html", "utf-8"), title)


def _is_main(element: Any) -> bool:
    return bool(element.name == "main" or element.get("role") == "main")


def _names_itself(encoding: str | None) -> bool:
    """Whether a page may be in the encoding that it names: not in UTF-16, say, in which nobody had read the name."""
    try:
        return b"<meta".decode(encoding or "") == "<meta"
    except (LookupError, ValueError):
        return False


def _unwrap_questions(main: Any) -> None:
    """Leave the words alone of buttons around headings, and of those that hold one: they open the answer below."""
    for heading in main.find_all(_HEADINGS):
        around = heading.find_parent("button")
        for button in [around] if around else heading.find_all("button") if _is_in_buttons(heading) else []:
            button.unwrap()


def _is_in_buttons(heading: Any) -> bool:
    """Whether the words of a heading stand in buttons, but for those of a link that follows. Others have their own."""
    said = [text for text in heading.strings if _WORD.search(text)]
    return (
        bool(said)
        and said[0].find_parent("button") is not None
        and all(text.find_parent("button") or text.find_parent("a", class_=_ANCHORS) for text in said)
    )


def _is_note(element: Any) -> bool:
    return element.name == "aside" and bool(_NOTES.search(" ".join(element.get_attribute_list("class", ""))))


def _remove_anchors(main: Any) -> None:
    """Remove the links of documentation from each heading to itself, unless its own words are in one."""
    for link in reversed(main.find_all("a", class_=_ANCHORS)):
        said = link.get_text()
        heading = link.find_parent(_HEADINGS)
        if not _WORD.search(said) or (heading and len(_WORD.findall(heading.get_text())) > len(_WORD.findall(said))):
            link.decompose()


def _only_article(page: Any) -> Any:
    """The article of a page that has one, and maybe comments within it as further ones."""
    articles = [article for article in page.find_all("article") if not article.find_parent("article")]
    return articles[0] if len(articles) == 1 else None


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
        cause = _cause(error)
        if type(cause).__name__ == "PDFPasswordIncorrect":
            raise Unreadable("it needs a password: save it without one") from error
        raise broken(str(cause).strip() or type(cause).__name__) from error
    # A PDF may hold halves of characters, which UTF-8 does not have.
    return text.encode(errors="replace").decode()


@cache
def _markitdown() -> Any:
    """A converter of what we say that we read. Its own fallback takes a broken document for a text."""
    from markitdown import DocumentConverterResult, MarkItDown, StreamInfo, converters  # noqa: PLC0415

    class HtmlConverter(converters.HtmlConverter):
        """Takes no sign in a text for one of Markdown."""

        def convert(self, file_stream: BinaryIO, stream_info: StreamInfo, **options: Any) -> DocumentConverterResult:
            content = literal.hidden(file_stream.read(), stream_info.charset or "utf-8")
            result = super().convert(BytesIO(content), StreamInfo(charset="utf-8"), **options)
            result.markdown = literal.shown(result.markdown)
            return result

    converter = MarkItDown(enable_builtins=False, enable_plugins=False)
    html = HtmlConverter()
    converter.register_converter(html)
    for kind in (
        converters.PdfConverter,
        converters.DocxConverter,
        converters.PptxConverter,
        converters.XlsxConverter,
        converters.EpubConverter,
    ):
        other = kind()
        # Most of them make HTML first.
        vars(other).update(_html_converter=html)
        converter.register_converter(other)
    return converter


def _cause(error: Exception) -> BaseException:
    """The last of the errors that markitdown has caught, or its own one."""
    attempts = getattr(error, "attempts", None)
    return attempts[-1].exc_info[1] if attempts and attempts[-1].exc_info else error


def broken(reason: str) -> Unreadable:
    """The refusal of a document for which its library has a reason, in one line or more."""
    said = reason.strip().splitlines()[0][:_LONGEST_REASON]
    return Unreadable(f"it cannot be converted ({said}): is it whole, and what its name says?")
