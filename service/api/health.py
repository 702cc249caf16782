"""`/health`, `/ready`, `/info`, `/metrics`: whether it lives, whether it can answer, what runs, and how it fares."""

from typing import Any

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service import __version__
from service.api.keys import Keys
from service.api.metrics import Metrics
from service.core import Core
from service.encoding import TOKENIZING_THREADS
from service.errors import NotReady


def routes(core: Core, keys: Keys, metrics: Metrics) -> APIRouter:
    """The routes of those who watch the service."""
    router = APIRouter(tags=["health"])

    @router.get("/health")
    async def health() -> dict[str, str]:
        """200 while the process does its work; 503 when a part of it has ended, and only a restart helps."""
        if core.ready and not core.scheduler.alive:
            raise NotReady("the encoder's thread has ended: restart the service, and report its log")
        if core.scheduler.ailment is not None:
            raise NotReady(f"nothing can be encoded ({core.scheduler.ailment}): restart the service")
        if core.ailment is not None:
            raise NotReady(f"maintenance has ended ({core.ailment}): restart the service, and report its log")
        return {"status": "alive"}

    @router.get("/ready")
    async def ready() -> dict[str, str]:
        """200 when requests are answered; 503 with the stage of the start before."""
        core.require_ready()
        return {"status": "ready"}

    @router.get("/info", dependencies=[Depends(keys.data)])
    async def info() -> dict[str, Any]:
        """What runs: the checkpoint and its generation, and how much there is."""
        generation = core.generations.acquire()
        found = generation.encoder.checkpoint
        collections = await core.encoding.apart(core.documents.collections)
        return {
            "version": __version__,
            "model": generation.model,
            "generation": generation.number,
            "fingerprint": generation.index.fingerprint,
            "dimensions": generation.encoder.dimensions,
            "engine": generation.encoder.engine,
            "max_length": generation.encoder.max_length,
            "prompts": generation.encoder.prompts,
            "retained": [former.model for former in core.generations.retained],
            "documents": sum(count for _, count in collections),
            "collections": dict(collections),
            "recall": generation.index.recall,
            "activated": generation.record.activated,
            "lineage": found.manifest.lineage if found.manifest else {},
            # What clients of text-embeddings-inference look for.
            "model_id": found.name,
            "model_sha": found.id.rpartition("@")[2],
            "model_dtype": generation.encoder.engine.rpartition(" ")[2],
            "served_model_name": generation.model,
            "model_type": {"embedding": {"pooling": generation.encoder.pooling}},
            "max_input_length": generation.encoder.max_length,
            "max_batch_tokens": core.settings.batch_tokens,
            "max_batch_requests": None,
            "max_client_batch_size": core.settings.max_inputs,
            "max_concurrent_requests": None,
            "auto_truncate": True,
            "tokenization_workers": TOKENIZING_THREADS,
        }

    @router.get("/metrics")
    async def scrape() -> Response:
        """Prometheus text format."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router
