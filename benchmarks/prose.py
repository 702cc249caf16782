"""Passages and questions out of the prose of this machine: documentation, manuals, dictionaries, docstrings.

Files below some folders are cut into paragraphs, and those into passages of 12 to 40 words, no two of which have the
same words. A question is a sentence that ends in a question mark. It is never part of a passage.
"""

import gzip
import hashlib
import html
import re
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

FOLDERS = [Path(sysconfig.get_paths()["purelib"]), Path("/usr/share/doc"), Path("/usr/share/man")]
_PLAIN = {".txt", ".md", ".rst", ".dict", ".adoc", ".tex", ""}
_PAGES = {".html", ".htm", ".xhtml"}
_LARGEST = 100_000_000
_FEWEST, _MOST = 12, 40
_QUESTION = range(5, 25)
# Text that is not prose: too few of its words are made of letters.
_LETTERS = 0.85

_WORD = re.compile(r"[(\"'“]?[A-Za-z][A-Za-z'\u2019-]*[.,;:!?)\"'”]*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z(\"'])")
_UNSEEN = re.compile(r"(?is)<(script|style|pre|head|nav|footer)\b.*?</\1>")
_BLOCK = re.compile(r"(?i)</?(p|li|ul|ol|div|h\d|td|th|tr|table|dd|dt|dl|br|section|blockquote)\b[^>]*>")
_TAG = re.compile(r"<[^>]*>")
_PARAGRAPH = re.compile(r"\n\s*\n")
_DOCSTRING = re.compile(r'"""(.*?)"""', re.DOTALL)
_MACRO = re.compile(r"^[.'].*$", re.MULTILINE)
_FONT = re.compile(r"\\f.|\\&|\\-|\\\(..|\\\*\(..")


def passages_and_questions(folders: Iterable[Path]) -> tuple[list[str], list[str]]:
    """Read all prose below the folders. Each text occurs once, whatever its case and punctuation."""
    passages: dict[bytes, str] = {}
    questions: dict[bytes, str] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            for paragraph in _paragraphs(path):
                for text, asks in _cut(paragraph):
                    (questions if asks else passages).setdefault(_digest(text), text)
    return list(passages.values()), list(questions.values())


def _digest(text: str) -> bytes:
    words = re.findall(r"[a-z]+", text.lower())
    return hashlib.blake2b(" ".join(words).encode(), digest_size=12).digest()


def _paragraphs(path: Path) -> Iterator[str]:
    """The paragraphs of a file that may hold prose. A file that cannot be read has none."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
            return
        packed = path.suffix in {".gz", ".dz"}
        kind = path.with_suffix("").suffix if packed else path.suffix
        manual = re.fullmatch(r"\.\d\w*", kind) is not None
        gloss = path.name.startswith("data.") and path.parent.name == "wordnet"
        if not (kind in _PLAIN or kind in _PAGES or kind == ".py" or manual or gloss):
            return
        content = path.read_bytes()
        text = (gzip.decompress(content) if packed else content).decode("utf-8")
    except (OSError, EOFError, ValueError):
        return
    if kind in _PAGES:
        text = html.unescape(_TAG.sub(" ", _BLOCK.sub("\n\n", _UNSEEN.sub(" ", text))))
    elif kind == ".py":
        text = "\n\n".join(_DOCSTRING.findall(text))
    elif manual:
        text = _FONT.sub("", _MACRO.sub("\n", text))
    elif gloss:
        text = "\n\n".join(line.partition("| ")[2] for line in text.splitlines())
    yield from _PARAGRAPH.split(text)


def _cut(paragraph: str) -> Iterator[tuple[str, bool]]:
    """Cut a paragraph into passages and questions, and say which are questions."""
    words: list[str] = []
    for sentence in _SENTENCE.split(" ".join(paragraph.split())):
        added = sentence.split()
        if sentence.endswith("?"):
            if len(added) in _QUESTION and _is_prose(added):
                yield sentence, True
            continue
        if len(added) > _MOST or not _is_prose(added):
            continue
        if len(words) + len(added) > _MOST:
            if len(words) >= _FEWEST:
                yield " ".join(words), False
            words = []
        words += added
    if len(words) >= _FEWEST:
        yield " ".join(words), False


def _is_prose(words: list[str]) -> bool:
    return sum(_WORD.fullmatch(word) is not None for word in words) >= _LETTERS * len(words)
