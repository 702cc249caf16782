"""`GET /info`: say what runs."""

import asyncio

from service import __version__
from service.api.openapi import info as documented
from service.api.router import Admission, Router
from service.api.schemas.info import Info
from service.corpus.base import CorpusStore
from service.generations.loaded import LoadedGenerations
from service.generations.rerankers import Rerankers
from service.learning.search_log import SearchLog
from service.models.encoding import TOKENIZING_THREADS
from service.models.scheduling.scheduler import Scheduler
from service.reload.runner import Reloads
from service.settings import Settings


def routes(admission: Admission, about: "About") -> Router:
    """The route that says what runs."""
    router = Router(admission, "health", "search")
    router.add("GET /info", about.info, documented.INFO, others=["judge"])
    return router


class About:
    """The parts that say what runs."""

    def __init__(
        self,
        generations: LoadedGenerations,
        corpus: CorpusStore,
        reloads: Reloads,
        scheduler: Scheduler,
        rerankers: Rerankers,
        search_log: SearchLog,
        settings: Settings,
    ) -> None:
        self._generations = generations
        self._documents = corpus.documents
        self._judgements = corpus.judgements
        self._reloads = reloads
        self._scheduler = scheduler
        self._rerankers = rerankers
        self._search_log = search_log
        self._settings = settings

    async def info(self) -> Info:
        """Name the checkpoint and its generation, and count the documents and the judged queries."""
        generation = self._generations.acquire()
        checkpoint = generation.encoder.checkpoint
        collections = await asyncio.to_thread(self._documents.collections)
        judged = await asyncio.to_thread(self._judgements.judged)
        stats = generation.index.stats()
        return {
            "version": __version__,
            "model": generation.model,
            "generation": generation.number,
            "fingerprint": generation.index.fingerprint,
            "dimensions": generation.encoder.dimensions,
            "engine": generation.encoder.engine,
            "engine_reason": generation.encoder.engine_reason,
            "max_length": generation.encoder.max_length,
            "prompts": dict(generation.encoder.prompts),
            "retained": [former.model for former in self._generations.retained],
            "documents": sum(collections.values()),
            "windows": stats.windows,
            "collections": collections,
            "recall": stats.recall,
            "judged": {"queries": judged.queries, "judging": judged.judging},
            "weights": generation.record.weights,
            "activated": generation.record.activated,
            "activated_by": generation.record.activated_by,
            "reranker": None if self._rerankers.active is None else self._rerankers.active.record,
            "search_log": {"keep": self._settings.searches.keep, "failure": self._search_log.failure},
            "reload": await asyncio.to_thread(self._reloads.under_way),
            "warnings": list(dict.fromkeys([*generation.encoder.warnings, *generation.record.warnings])),
            "lineage": checkpoint.manifest.lineage if checkpoint.manifest else {},
            # Clients of text-embeddings-inference look for the fields below.
            "model_id": checkpoint.name,
            "model_sha": checkpoint.id.rpartition("@")[2],
            "model_dtype": generation.encoder.engine.rpartition(" ")[2],
            "served_model_name": generation.model,
            "model_type": {"embedding": {"pooling": generation.encoder.pooling}},
            "max_input_length": generation.encoder.max_length,
            "max_batch_tokens": self._scheduler.budget["interactive"],
            "max_batch_requests": None,
            "max_client_batch_size": self._settings.limits.inputs,
            "max_concurrent_requests": None,
            "auto_truncate": True,
            "tokenization_workers": TOKENIZING_THREADS,
        }
