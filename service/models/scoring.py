"""The awaitable way from a query and texts to scores: long texts by their best window (MaxP: Dai and Callan 2019)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.errors import InvalidRequest
from service.machine.arrays import Vectors
from service.models.base import Direction, Prepared, Reranker
from service.models.encoding import Encoding
from service.models.windowing import Windowing, parts


@dataclass(frozen=True, slots=True)
class Scored:
    """The logit of each text (n, 1), and the tokens of all pairs that were read."""

    logits: Vectors
    tokens: int


class Scoring:
    """Scores pairs through the lanes of the scheduler."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding

    def windowing(self, collection: str | None = None) -> Windowing:
        """How long texts are cut: those of the collection, or those that are in none."""
        windowings = self._encoding.windowings
        return windowings.default if collection is None else windowings.of(collection)

    async def by_best_window(
        self,
        reranker: Reranker,
        query: str,
        texts: Sequence[str],
        windowing: Windowing,
        *,
        patient: bool = False,
    ) -> Scored:
        """The logit of each text: that of its best window where the model cannot read it whole.

        Raises Overloaded if too much waits already; `patient` callers take the bulk lane and wait for room instead.
        """
        if not patient:
            self._encoding.require_capacity()

        def prepared() -> tuple[list[Prepared], list[int]]:
            spans = reranker.pair_windows(query, texts, windowing)
            windows = [part for text, each in zip(texts, spans, strict=True) for part in parts(text, each)]
            return reranker.pairs(query, windows), [len(each) for each in spans]

        items, counts = await self._encoding.on_tokenizer_thread(prepared)
        logits = await self._encoding.raw(reranker, items, "bulk" if patient else None, patient=patient)
        best = np.maximum.reduceat(logits, np.cumsum([0, *counts[:-1]]))
        return Scored(best, sum(item.tokens for item in items))

    async def cut(self, reranker: Reranker, query: str, texts: Sequence[str], end: Direction | None) -> Scored:
        """The logit of each text, cut at that end where the model cannot read it whole."""
        self._encoding.require_capacity()
        items = await self._encoding.on_tokenizer_thread(reranker.pairs, query, texts, end)
        return Scored(await self._encoding.raw(reranker, items), sum(item.tokens for item in items))

    async def require_short(self, reranker: Reranker, query: str, texts: Sequence[str]) -> None:
        """Raise InvalidRequest if the model cannot read one of the texts whole beside the query."""
        spans = await self._encoding.on_tokenizer_thread(reranker.pair_windows, query, texts, Windowing(0, 1))
        for index, each in enumerate(spans):
            if each.any():
                raise InvalidRequest(
                    f"text {index} and the query have more than the {reranker.max_length} tokens that the model reads:"
                    " cut it, or leave out truncate",
                    "texts",
                )
