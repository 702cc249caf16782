"""Pieces of text, cut into passages that the model reads whole, with the headings before them and stable ids."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from semantic_text_splitter import MarkdownSplitter
from tokenizers import Tokenizer

from instar.client.types import NewDocument
from instar.loading.piece import Piece

_SEPARATOR = " > "
# Tokens that a passage may have more than the splitter counted, because it was counted without the headings before it.
_MARGIN = 2
# The headings take at most this share of a passage. The lowest ones are kept.
_MOST_HEADINGS = 0.25
# Bytes of an id, of which the service takes 512.
_LONGEST_ID = 400
_HASH_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Passage:
    """A document of the service: what is embedded, by its id. `tokens` counts all that the model reads of it."""

    id: str
    text: str
    metadata: dict[str, Any]
    tokens: int

    def document(self) -> NewDocument:
        """The passage as the service takes it."""
        return {"id": self.id, "text": self.text, "metadata": self.metadata}


class Cutter:
    """Cuts pieces at the ends of paragraphs, sentences and words, to at most `limit` tokens."""

    def __init__(self, tokenizer: str, limit: int, prompt: str) -> None:
        """`tokenizer` is a `tokenizer.json`; the model puts `prompt` before each document, which counts."""
        self._tokenizer = Tokenizer.from_str(tokenizer)
        around = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        self._around = around + (self._count(prompt) if prompt else 0)
        self._limit = max(limit - self._around, 2 * _MARGIN)
        self._splitter = cache(self._make)

    def passages(self, pieces: Iterable[Piece], source: str) -> Iterator[Passage]:
        """Yield the passages of one file, whose name is `source`."""
        used: Counter[str] = Counter()
        for number, piece in enumerate(pieces, 1):
            headings = self._headings(piece.headings)
            before = f"{headings}\n\n" if headings else ""
            capacity = self._limit - (self._count(before) if before else 0) - _MARGIN
            name = piece.identity
            if name is None:
                base = self._base(piece, source, number)
                used[base] += 1
                name = base if used[base] == 1 else f"{base}-{used[base]}"
            for part, chunk in enumerate(self._splitter(max(capacity, _MARGIN)).chunks(piece.text), 1):
                text = before + chunk
                metadata = {**piece.metadata, "source": source}
                if piece.headings:
                    metadata["heading"] = _SEPARATOR.join(piece.headings)
                identity = _fitting(name if part == 1 else f"{name}:{part}")
                yield Passage(identity, text, metadata, self._around + self._count(text))

    @staticmethod
    def _base(piece: Piece, source: str, number: int) -> str:
        path = "/".join(filter(None, map(_slug, piece.headings)))
        return f"{source}#{path or number}"

    def _headings(self, headings: tuple[str, ...]) -> str:
        """The headings in a line, without the highest ones if they are long."""
        for begin in range(len(headings)):
            line = _SEPARATOR.join(headings[begin:])
            if self._count(line) <= _MOST_HEADINGS * self._limit:
                return line
        return ""

    def _count(self, text: str) -> int:
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    def _make(self, capacity: int) -> MarkdownSplitter:
        return MarkdownSplitter.from_huggingface_tokenizer(self._tokenizer, capacity)


def _slug(heading: str) -> str:
    """The heading as a part of an id: its letters and digits in any script, small, with hyphens between words."""
    plain = unicodedata.normalize("NFKC", heading).casefold()
    return "-".join(re.findall(r"[\w.]+", plain))


def _fitting(identity: str) -> str:
    """The id, or if it is too long its beginning and its hash."""
    if len(identity.encode()) <= _LONGEST_ID:
        return identity
    digits = sha256(identity.encode()).hexdigest()[:_HASH_DIGITS]
    return f"{identity.encode()[: _LONGEST_ID - _HASH_DIGITS - 1].decode(errors='ignore')}~{digits}"
