"""`GET /admin/generations`: list all generations, former ones included."""

import asyncio

from service.api.openapi import generations as documented
from service.api.router import Admission, Router
from service.api.schemas.generations import GenerationsAnswer, ListedGeneration, UnderWay
from service.corpus.base import GenerationRecord, Records
from service.generations.loaded import LoadedGenerations
from service.generations.rerankers import Rerankers
from service.reload.job import Job
from service.reload.runner import Reloads


def routes(
    admission: Admission, records: Records, generations: LoadedGenerations, reloads: Reloads, rerankers: Rerankers
) -> Router:
    """The route of generations."""
    router = Router(admission, "admin", "admin")
    handlers = _Listing(records, generations, reloads, rerankers)
    router.add("GET /admin/generations", handlers.list_generations, documented.LIST)
    return router


class _Listing:
    def __init__(
        self, records: Records, generations: LoadedGenerations, reloads: Reloads, rerankers: Rerankers
    ) -> None:
        self._records = records
        self._generations = generations
        self._reloads = reloads
        self._rerankers = rerankers

    async def list_generations(self) -> GenerationsAnswer:
        """List every generation, the latest activation first, and the one that is being built or in the shadow."""
        records = await asyncio.to_thread(self._records.generations)
        listed: list[ListedGeneration | UnderWay] = [self._listed(record) for record in records]
        job = await asyncio.to_thread(self._reloads.under_way)
        if job is not None and job.kind == "dense":
            listed.append(self._under_way(job))
        reranker = self._rerankers.active
        return {"generations": listed, "reranker": None if reranker is None else reranker.record}

    def _listed(self, record: GenerationRecord) -> ListedGeneration:
        """Return the record of a generation; of a loaded one, with the number of documents that its index has now."""
        loaded = self._generations.loaded(record.number)
        counted = {} if loaded is None else {"documents": loaded.index.stats().documents}
        return ListedGeneration(**(dict(record) | counted), loaded=loaded is not None)

    def _under_way(self, job: Job) -> UnderWay:
        shadow = self._generations.shadow
        return UnderWay(
            generation=shadow.number if shadow is not None else None,
            state="shadow" if job.stage == "shadow" else "building",
            job=job.id,
            model=job.checkpoint or job.model,
            fingerprint=job.fingerprint,
            documents=job.reused + job.done,
        )
