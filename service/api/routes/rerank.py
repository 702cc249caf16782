"""The routes of rerankers: that of text-embeddings-inference, and those of Cohere and Jina."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import numpy as np
from fastapi import Response

from service.api.error_forms import COHERE, TEI
from service.api.inputs import check_text, no_texts, too_many_texts
from service.api.openapi import rerank as documented
from service.api.readiness import RequireReady
from service.api.responses import scored_answer
from service.api.router import Admission, Router
from service.api.schemas.rerank import Rank, Relevance, RelevanceAnswer, RelevanceRequest, RerankRequest
from service.errors import InvalidRequest
from service.generations.rerankers import Rerankers
from service.machine.arrays import Scores
from service.models.base import Reranker
from service.models.scoring import Scored, Scoring
from service.settings import Settings


def routes(
    admission: Admission, require_ready: RequireReady, rerankers: Rerankers, scoring: Scoring, settings: Settings
) -> Router:
    """The route of text-embeddings-inference that scores pairs of a query and a text."""
    router = Router(admission, "embedding", "embed", TEI)
    router.add("POST /rerank", _Pairs(require_ready, rerankers, scoring, settings).rerank, documented.RERANK)
    return router


def routes_of_documents(
    admission: Admission, require_ready: RequireReady, rerankers: Rerankers, scoring: Scoring, settings: Settings
) -> Router:
    """The routes of Cohere and Jina that score pairs of a query and a document."""
    router = Router(admission, "embedding", "embed", COHERE)
    handlers = _Pairs(require_ready, rerankers, scoring, settings)
    router.add("POST /v1/rerank", handlers.rerank_documents, documented.RELEVANCE)
    router.add("POST /v2/rerank", handlers.rerank_for_newer_clients, documented.RELEVANCE)
    return router


class _Pairs:
    def __init__(self, require_ready: RequireReady, rerankers: Rerankers, scoring: Scoring, settings: Settings) -> None:
        self._require_ready = require_ready
        self._rerankers = rerankers
        self._scoring = scoring
        self._settings = settings

    async def rerank(self, request: RerankRequest) -> Response:
        """Score texts by how well they answer the query. The request is that of text-embeddings-inference."""
        self._require_ready()
        active = self._rerankers.acquire(request.model)
        self._check(request.query, request.texts, "texts")
        scored = await self._scored(active.reranker, request)
        scores = scored.logits[:, 0] if request.raw_scores else active.reranker.scores(scored.logits)
        ranks: list[Rank] = [{"index": index, "score": float(scores[index])} for index in _best(scores)]
        if request.return_text:
            for rank in ranks:
                rank["text"] = request.texts[rank["index"]]
        return scored_answer(ranks, active.model)

    async def rerank_documents(self, request: RelevanceRequest) -> Response:
        """Score documents by how well they answer the query. Clients of Cohere and of Jina work with it as they are."""
        self._require_ready()
        active = self._rerankers.acquire(request.model)
        texts = [_text(document, index, request) for index, document in enumerate(request.documents)]
        self._check(request.query, texts, "documents")
        windowing = self._scoring.windowing()
        if request.max_chunks_per_doc is not None:
            windowing = replace(windowing, most=min(windowing.most, request.max_chunks_per_doc))
        scored = await self._scoring.by_best_window(active.reranker, request.query, texts, windowing)
        scores = active.reranker.scores(scored.logits)
        results: list[Relevance] = [
            {"index": index, "relevance_score": float(scores[index])} for index in _best(scores)[: request.top_n]
        ]
        if request.return_documents:
            for result in results:
                document = request.documents[result["index"]]
                result["document"] = {"text": document} if isinstance(document, str) else document
        answer: RelevanceAnswer = {
            "id": uuid4().hex,
            "model": active.model,
            "results": results,
            "meta": {"api_version": {"version": "1"}, "billed_units": {"search_units": 1}},
            "usage": {"prompt_tokens": scored.tokens, "total_tokens": scored.tokens},
        }
        try:
            return scored_answer(answer, active.model)
        except TypeError as error:
            # JSON is read to a greater depth than it is written.
            raise InvalidRequest(
                "documents are nested too deep to be returned: flatten them, or leave return_documents out", "documents"
            ) from error

    async def rerank_for_newer_clients(self, request: RelevanceRequest) -> Response:
        """Score documents: POST /v1/rerank by the path of Cohere's second version."""
        return await self.rerank_documents(request)

    async def _scored(self, reranker: Reranker, request: RerankRequest) -> Scored:
        if request.truncate is True:
            return await self._scoring.cut(reranker, request.query, request.texts, request.truncation_direction)
        if request.truncate is False:
            await self._scoring.require_short(reranker, request.query, request.texts)
        return await self._scoring.by_best_window(reranker, request.query, request.texts, self._scoring.windowing())

    def _check(self, query: str, texts: Sequence[str], param: str) -> None:
        check_text(query, "query", self._settings)
        if not texts:
            raise no_texts(param)
        if len(texts) > self._settings.limits.inputs:
            raise too_many_texts(param, len(texts), self._settings.limits.inputs)
        for index, text in enumerate(texts):
            # A blank text answers nothing, and clients send some.
            if text.strip() or len(text) > self._settings.limits.text:
                check_text(text, f"{param}.{index}", self._settings)


def _best(scores: Scores) -> list[int]:
    """The places of the scores, best first; equal ones keep their order."""
    order: list[int] = np.argsort(-scores, kind="stable").tolist()
    return order


def _text(document: str | dict[str, Any], index: int, request: RelevanceRequest) -> str:
    if isinstance(document, str):
        return document
    values = [document[name] for name in request.rank_fields if name in document]
    if not values or not all(isinstance(value, str) for value in values):
        raise InvalidRequest(
            f"documents.{index} has no text in {', '.join(request.rank_fields)[:80]}: send a string, or an object that"
            " has a text in one of rank_fields",
            f"documents.{index}",
        )
    return "\n".join(values)
