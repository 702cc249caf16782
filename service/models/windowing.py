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

# Tokens that a window may have more on its own than the splitter counted, as a word that has lost its space before it.
_MARGIN = 2
# An overlap takes at most this share of a window, else a text would have windows without end.
_MOST_OVERLAP = 0.25
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


class Splitter:
    """Cuts texts into windows of at most `limit` tokens, special ones and those of the `prompt` included.

    Safe from any thread.
    """

    def __init__(self, tokenizer: Tokenizer, limit: int, prompt: str) -> None:
        """`tokenizer` does not truncate, and belongs to the splitter alone."""
        self._tokenizer = tokenizer
        self._prompt = prompt
        around = tokenizer.num_special_tokens_to_add(is_pair=False)
        in_prompt = len(tokenizer.encode(prompt, add_special_tokens=False)) if prompt else 0
        self._limit = limit
        self._capacity = max(limit - around - in_prompt - _MARGIN, 1)
        self._lock = threading.Lock()
        self._splitter = cache(self._make)

    def spans(self, text: str, windowing: Windowing) -> Spans:
        """The windows of the text; (0, 0) alone if the model reads it whole."""
        encoded = self._tokenizer.encode(self._prompt + text)
        if len(encoded) <= self._limit:
            return WHOLE
        if windowing.most == 1:
            # The last of so many tokens that is not special ends what is read.
            end = max(end for _, end in encoded.offsets[: self._limit - 1])
            return np.array([[0, max(end - len(self._prompt), 0)]], np.int32)
        with self._lock:
            splitter = self._splitter(min(windowing.overlap, int(_MOST_OVERLAP * self._capacity)))
        windows = splitter.chunk_indices(text)[: windowing.most]
        return np.array([[start, start + len(window)] for start, window in windows] or [[0, 0]], np.int32)

    def _make(self, overlap: int) -> TextSplitter:
        return TextSplitter.from_huggingface_tokenizer(self._tokenizer, self._capacity, overlap)


def parts(text: str, spans: Spans) -> Sequence[str]:
    """The texts of the windows."""
    return [text if not end else text[start:end] for start, end in spans.tolist()]
