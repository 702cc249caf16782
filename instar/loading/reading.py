"""Files, and what is read in them."""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from instar.loading import converting, markdown, mdx, rows, rst
from instar.loading.piece import Piece, Unreadable

_MARKDOWN = frozenset({".md", ".markdown"})
_MDX = frozenset({".mdx"})
_PLAIN = frozenset({".txt", ".text"})
_PDF = frozenset({".pdf"})
_HTML = frozenset({".html", ".htm"})
_RST = frozenset({".rst"})
_CSV = frozenset({".csv", ".tsv"})
_JSON_LINES = frozenset({".jsonl", ".ndjson"})
CONVERTED = _PDF | {".docx", ".pptx", ".xlsx", ".epub"}
SUFFIXES = _MARKDOWN | _MDX | _PLAIN | _HTML | _RST | _CSV | _JSON_LINES | CONVERTED


def pieces_of(path: Path) -> list[Piece]:
    """Return what is read in a file. Raises Unreadable."""
    suffix, title = path.suffix.lower(), path.stem.replace("-", " ").replace("_", " ")
    if suffix not in SUFFIXES:
        raise Unreadable(f"{suffix or 'a file without a suffix'} is not read: {', '.join(sorted(SUFFIXES))} are")
    try:
        return [_of_characters(piece) for piece in _pieces(path, suffix, title)]
    except OSError as error:
        raise Unreadable(f"it cannot be opened ({error.strerror}): let this user read it") from error
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"it is not in UTF-8 (byte {error.start}): convert it, or save it as UTF-8, in Excel as 'CSV UTF-8'"
        ) from error
    except RecursionError as error:
        raise Unreadable("it is nested too deeply: take some of its levels out") from error


def _of_characters(piece: Piece) -> Piece:
    """The piece without halves of characters, which a title in YAML or an encoding of a page may have had."""
    return replace(piece, headings=tuple(map(_joined, piece.headings)), text=_joined(piece.text))


def _joined(text: str) -> str:
    """The text with two halves as one character, and a sign in place of a half that is alone."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _pieces(path: Path, suffix: str, title: str) -> Iterable[Piece]:
    if suffix in CONVERTED:
        text = converting.from_file(path)
        # Its lines are as printed: one that begins with a sign of Markdown is no heading.
        return _whole(text, title) if suffix in _PDF else markdown.below_headings(text, title)
    if suffix in _HTML:
        page = converting.from_html(path.read_bytes())
        return markdown.below_headings(page.text, page.title or title)
    return _pieces_of_text(_text(path), suffix, title)


def _pieces_of_text(text: str, suffix: str, title: str) -> Iterable[Piece]:
    if suffix in _CSV:
        return rows.of_csv(text)
    if suffix in _JSON_LINES:
        return rows.of_json_lines(text)
    if suffix in _PLAIN:
        return _whole(text, title)
    if suffix in _RST:
        return markdown.below_headings(rst.markdown_of(text), title)
    return markdown.pieces(mdx.markdown_of(text) if suffix in _MDX else text, title)


def _whole(text: str, title: str) -> list[Piece]:
    return [Piece((title,), text.strip())] if text.strip() else []


def _text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 if its first bytes say so, as those that Windows writes."""
    with path.open("rb") as opened:
        begin = opened.read(2)
    if begin in (BOM_UTF16_LE, BOM_UTF16_BE):
        # Such bytes in another file make it neither, and it is told by what it should be in.
        with suppress(UnicodeDecodeError):
            return path.read_text(encoding="utf-16")
    return path.read_text(encoding="utf-8-sig")
