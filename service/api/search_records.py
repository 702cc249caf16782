"""Everybody who is told of an answered search: the metrics, the log of the process, and the search log."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import orjson

from service.api.schemas.search import SearchRequest
from service.generations.generation import Generation
from service.learning.base import MOST_RESULTS, LoggedSearch, Shown
from service.learning.ids import TimeOrderedIds
from service.learning.pseudonyms import Pseudonyms
from service.learning.search_log import SearchLog
from service.observability.observer import Observer
from service.search.query import Hit, SearchResult
from service.search.retrieval import Mode

log = logging.getLogger(__name__)

# Characters of a query that is kept. No judgement can be of a longer one.
MOST_CHARACTERS = 10_000


class SearchRecords:
    """Tells of searches. It never holds one up, and never fails one."""

    def __init__(
        self,
        search_log: SearchLog,
        pseudonyms: Pseudonyms,
        caller: Callable[[], str | None],
        observer: Observer,
        *,
        log_texts: bool,
    ) -> None:
        """`caller` returns the name of the key of the request that is being answered."""
        self._search_log = search_log
        self._pseudonyms = pseudonyms
        self._caller = caller
        self._observer = observer
        self._log_texts = log_texts
        self._ids = TimeOrderedIds()

    def record(
        self,
        request: SearchRequest,
        mode: Mode,
        queries: Sequence[str],
        result: SearchResult,
        generation: Generation,
        reranker: str | None,
    ) -> list[str] | None:
        """Tell of the results as they are shown. Returns the id of each query in the search log; None: not kept."""
        self._observer.searched(result.seconds)
        if self._log_texts:
            for query, hits in zip(queries, result.hits, strict=True):
                _log_text(query, hits, request.collection, generation.model)
        if not request.log or not all(map(_can_be_judged, queries)) or not self._search_log.takes(len(queries)):
            return None
        ids = [self._ids.new() for _ in queries]
        # The answer is sent before that, and whoever has it and asks for the search comes after it.
        asyncio.get_running_loop().call_soon(self._keep, ids, request, mode, queries, result, generation, reranker)
        return ids

    def _keep(
        self,
        ids: Sequence[str],
        request: SearchRequest,
        mode: Mode,
        queries: Sequence[str],
        result: SearchResult,
        generation: Generation,
        reranker: str | None,
    ) -> None:
        user = None if request.user is None else self._pseudonyms.user(request.user)
        session = None if request.session is None else self._pseudonyms.session(request.session)
        now, caller = datetime.now(UTC), self._caller()
        filtered = None if request.filter is None else orjson.dumps(request.filter).decode()
        self._search_log.add(
            [
                LoggedSearch(
                    id=identity,
                    at=now,
                    collection=request.collection,
                    query=query,
                    mode=mode,
                    k=request.k,
                    generation=generation.number,
                    checkpoint=generation.model,
                    results=_shown(hits, request.offset),
                    filter=filtered,
                    reranker=reranker,
                    key=caller,
                    user=user,
                    session=session,
                )
                for identity, query, hits in zip(ids, queries, result.hits, strict=True)
            ]
        )


def _can_be_judged(query: str) -> bool:
    return len(query) <= MOST_CHARACTERS and "\0" not in query


def _shown(hits: Sequence[Hit], offset: int) -> tuple[Shown, ...]:
    return tuple(Shown(hit.document.id, rank, hit.score) for rank, hit in enumerate(hits[:MOST_RESULTS], offset + 1))


def _log_text(query: str, hits: Sequence[Hit], collection: str, model: str) -> None:
    fields = {"query": query, "collection": collection, "found": [hit.document.id for hit in hits], "model": model}
    log.info("search", extra={"fields": fields})
