"""Texts that are longer than the model reads, cut into windows that overlap and end at the ends of sentences.

What a model does not read of a document could not be found. Each window has a vector of its own, and the document is
as near to a query as its nearest window (MaxP: Dai and Callan 2019).
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from semantic_text_splitter import TextSplitter
from tokenizers import Tokenizer

from service.machine.arrays import Spans
from service.settings import Settings

# Tokens that a window may have more on its own than the splitter counted, as a word that has lost its space before it.
_MARGIN = 2
# An overlap takes at most this share of a window, else a text would have windows without end.
_MOST_OVERLAP = 0.25
# Tokens that must be left for the text beside a prompt, else windows would be shreds and the model's own cut is taken.
_LEAST = 8
WHOLE: Spans = np.zeros((1, 2), np.int32)


@dataclass(frozen=True, slots=True)
class Windowing:
    """How a long document is cut: tokens that two windows share at most, and the most windows of a document.

    With `most` 1 nothing is cut into windows: the beginning that the model reads is all that can be found.
    """

    overlap: int
    most: int

    def __str__(self) -> str:
        return f"overlap {self.overlap}, most {self.most}"


@dataclass(frozen=True, slots=True)
class Windowings:
    """How long documents are cut, by collection."""

    default: Windowing
    collections: Mapping[str, Windowing]

    def of(self, collection: str) -> Windowing:
        return self.collections.get(collection, self.default)

    @property
    def uniform(self) -> bool:
        """Whether the collection makes no difference."""
        return not self.collections


# Every document as far as the model reads it.
TRUNCATED = Windowings(Windowing(overlap=0, most=1), {})


def windowings_of(settings: Settings) -> Windowings:
    """Return how the settings have long documents cut."""
    if settings.long == "truncate":
        return TRUNCATED
    windows = settings.windows
    others = {name: Windowing(other.overlap, other.most) for name, other in windows.collections.items()}
    return Windowings(Windowing(windows.overlap, windows.most), others)


class Splitter:
    """Cuts texts into windows of at most `limit` tokens, special ones and those of the `prompt` included.

    Safe from any thread.
    """

    def __init__(self, tokenizer: Tokenizer, truncating: Tokenizer, limit: int, prompt: str) -> None:
        """`tokenizer` does not truncate, and belongs to the splitter alone; `truncating` cuts as the model does."""
        self._tokenizer = tokenizer
        self._truncating = truncating
        self._prompt = prompt
        around = tokenizer.num_special_tokens_to_add(is_pair=False)
        in_prompt = len(tokenizer.encode(prompt, add_special_tokens=False)) if prompt else 0
        self._limit = limit
        self._capacity = limit - around - in_prompt - _MARGIN
        self._lock = threading.Lock()
        self._splitter = cache(self._make)

    def spans(self, text: str, windowing: Windowing) -> Spans:
        """The windows of the text; (0, 0) alone if the model reads it whole."""
        encoded = self._tokenizer.encode(self._prompt + text)
        if len(encoded) <= self._limit:
            return WHOLE
        if windowing.most == 1 or self._capacity < _LEAST:
            return self._read(text)
        with self._lock:
            splitter = self._splitter(min(windowing.overlap, int(_MOST_OVERLAP * self._capacity)))
        # The windows that count lie in these tokens; a longer text is not cut any further.
        tokens = (windowing.most + 1) * self._limit
        end = max(encoded.offsets[tokens][1] - len(self._prompt), 0) if tokens < len(encoded) else 0
        windows = splitter.chunk_indices(text[:end] if end else text)[: windowing.most]
        return np.array([[start, start + len(window)] for start, window in windows] or [[0, 0]], np.int32)

    def _read(self, text: str) -> Spans:
        """The part of the text that the model reads when it cuts; at least a character, since (0, 0) is all."""
        read = self._truncating.encode(self._prompt + text)
        offsets = [
            offset for offset, special in zip(read.offsets, read.special_tokens_mask, strict=True) if not special
        ]
        start = max(min((start for start, _ in offsets), default=0) - len(self._prompt), 0)
        end = max((end for _, end in offsets), default=0) - len(self._prompt)
        return np.array([[start, max(end, start + 1)]], np.int32)

    def _make(self, overlap: int) -> TextSplitter:
        return TextSplitter.from_huggingface_tokenizer(self._tokenizer, self._capacity, overlap)


def is_cut(text: str, searchable: tuple[int, int]) -> bool:
    """Say whether more than white space of the text lies outside of the part [start, end) that can be found."""
    start, end = searchable
    return bool(text[:start].strip() or text[end:].strip())


def parts(text: str, spans: Spans) -> Sequence[str]:
    """The texts of the windows."""
    return [text if not end else text[start:end] for start, end in spans.tolist()]
