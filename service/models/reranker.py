"""A loaded cross-encoder: it reads a query and a text together, and says how well the text answers the query.

A logit equals that of `CrossEncoder.predict` (sentence-transformers 6) without an activation. Its score is the sigmoid
of that, whatever activation the checkpoint names, so that scores of all rerankers are from 0 to 1.
"""

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from tokenizers import Tokenizer

from service.checkpoints.checkpoint import Checkpoint
from service.errors import CheckpointRefused
from service.machine.arrays import Scores, Spans, Vectors
from service.models import torch_model
from service.models.base import Direction, Prepared, Side
from service.models.computed import Computed
from service.models.windowing import WHOLE, Splitter, Windowing

# The query of a pair of which only the text is known: in a trial, and after a failed batch.
_PLAIN_QUERY = "How is it done?"
# A query takes at most this share of what the model reads, where the text has to be cut.
_MOST_OF_QUERY = 0.5
# Windows beside queries of nearly one length have one size, so that few splitters are needed.
_STEP = 16
_SPLITTERS = 8


class CrossEncoderReranker(Computed):
    """One cross-encoder in memory. Safe to use from many threads."""

    dimensions = 1

    def __init__(self, checkpoint: Checkpoint, processors: int = 1) -> None:
        """Load the checkpoint; raises CheckpointRefused if sentence-transformers cannot.

        torch computes a batch on `processors` threads if the batch has whole cores, else on one.
        """
        super().__init__(checkpoint.require_kind("reranker"), torch_model.load_reranker, processors)
        if self._padding[None] is None:
            raise CheckpointRefused(
                f"{checkpoint.name} takes more than the plain tokens of a pair: use a cross-encoder of texts, with a"
                " fast tokenizer"
            )
        self._pair_tokenizers = cache(self._pair_tokenizer)
        self._whole = self._copy()
        self._splitters = lru_cache(_SPLITTERS)(self._splitter_of)

    def prepare(
        self,
        texts: Sequence[str],
        side: Side | None,  # noqa: ARG002  (a pair has both)
        prompt_name: str | None = None,  # noqa: ARG002
        cut: Direction | None = None,
    ) -> list[Prepared]:
        """Tokenize pairs of a plain query with each text."""
        return self.pairs(_PLAIN_QUERY, texts, cut)

    def pairs(self, query: str, texts: Sequence[str], cut: Direction | None = None) -> list[Prepared]:
        """Tokenize the query with each text, the longer of the two cut to what the model reads, at the end `cut`."""
        encodings = self._pair_tokenizers(cut or self._cut[None]).encode_batch_fast([(query, text) for text in texts])
        return [
            Prepared((None, ""), text, encoding.ids, len(encoding.ids), encoding.type_ids)
            for text, encoding in zip(texts, encodings, strict=True)
        ]

    def pair_windows(self, query: str, texts: Sequence[str], windowing: Windowing) -> list[Spans]:
        """The windows of each text that the model reads beside the query; (0, 0) alone for one that is read whole."""
        limit = self._limit(None)
        in_query = len(self._whole.encode(query, add_special_tokens=False))
        around = self._whole.num_special_tokens_to_add(is_pair=True)
        room = max(limit - around - in_query, int(limit * (1 - _MOST_OF_QUERY)) - around, _STEP)
        splitter = self._splitters(room // _STEP * _STEP + self._whole.num_special_tokens_to_add(is_pair=False))
        # The query alone may fill the room: then a text is read whole where it fits beside half of the query.
        whole = [item.tokens < limit for item in self.pairs(query, texts)]
        return [WHOLE if fits else splitter.spans(text, windowing) for text, fits in zip(texts, whole, strict=True)]

    def scores(self, raw: Vectors) -> Scores:
        """Logits (n, 1) as scores (n,) from 0 to 1: their sigmoid."""
        scores: Scores = (1 / (1 + np.exp(-raw[:, 0].astype(np.float64)))).astype(np.float32)
        return scores

    def canaries(self) -> list[list[Prepared]]:
        """The pairs of its manifest, each a batch."""
        manifest = self.checkpoint.manifest
        return [self.pairs(pair.query, [pair.text]) for pair in (manifest.pairs if manifest else ())]

    def agreement(self, raw: Vectors, expected: Vectors) -> float:
        """The least cosine between scores as angles, 0 to a quarter turn: 0.999 where they differ by 0.028."""
        return float(np.cos(np.pi / 2 * np.abs(self.scores(raw) - self.scores(expected)).max()))

    def _pair_tokenizer(self, direction: Direction) -> Tokenizer:
        """A tokenizer that cuts the longer of query and text. It is never altered, so it needs no lock."""
        copy = self._copy()
        copy.enable_truncation(self._limit(None), strategy="longest_first", direction=direction)
        return copy

    def _splitter_of(self, limit: int) -> Splitter:
        truncating = self._copy()
        truncating.enable_truncation(limit, direction=self._cut[None])
        return Splitter(self._whole, truncating, limit, "")

    def _copy(self) -> Tokenizer:
        copy = Tokenizer.from_str(self._entry(None).tokenizer.backend_tokenizer.to_str())
        copy.no_padding()
        copy.no_truncation()
        return copy
