"""`/health`, `/ready`, `/info`, `/metrics`: whether it lives, whether it can answer, what runs, and how it fares."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import Field
from typing_extensions import TypedDict

from service import __version__
from service.api import contract
from service.api.contract import failing, success
from service.api.forms import OURS
from service.api.keys import Keys
from service.core import Core
from service.errors import NotReady
from service.models.encoding import TOKENIZING_THREADS
from service.reload.job import Job


class Status(TypedDict):
    """A word for all being well."""

    status: Annotated[str, Field(description="alive or ready")]


class About(TypedDict):
    """The service, and where its documentation is."""

    service: Annotated[str, Field(description="always Instar")]
    version: Annotated[str, Field(description="of the service")]
    documentation: Annotated[str, Field(description="path of the contract as a page")]
    openapi: Annotated[str, Field(description="path of the contract as an OpenAPI document")]
    ready: Annotated[str, Field(description="path that says whether requests are answered")]
    info: Annotated[str, Field(description="path that says what runs")]


class Kind(TypedDict):
    """The pooling of an embedding model."""

    pooling: Annotated[str, Field(description="how the vectors of tokens become one")]


class ModelType(TypedDict):
    """The kind of the model, for clients of text-embeddings-inference."""

    embedding: Annotated[Kind, Field(description="it is an embedding model")]


class Info(TypedDict):
    """The checkpoint, its generation, and how much there is."""

    version: Annotated[str, Field(description="of the service")]
    model: Annotated[str, Field(description="id of the active checkpoint")]
    generation: Annotated[int, Field(description="number of the active generation")]
    fingerprint: Annotated[str, Field(description="hash of all that decides a document's vector")]
    dimensions: Annotated[int, Field(description="dimensions of its vectors")]
    engine: Annotated[str, Field(description="what computes them, and in which precision")]
    max_length: Annotated[int, Field(description="tokens of a text that the model reads, special ones included")]
    prompts: Annotated[dict[str, str], Field(description="what goes before a text, by the prompt's name")]
    retained: Annotated[list[str], Field(description="ids of former checkpoints that still answer, the latest first")]
    documents: Annotated[int, Field(description="documents in all collections")]
    collections: Annotated[dict[str, int], Field(description="documents in each")]
    recall: Annotated[dict[str, float], Field(description="recall@10 of each collection that has a graph")]
    activated: Annotated[datetime | None, Field(description="when the generation became active")]
    activated_by: Annotated[
        str | None,
        Field(description="name of the key that had it activated; null: none was needed, or it was the first start"),
    ]
    reload: Annotated[Job | None, Field(description="the job of the reload that is under way; null: none is")]
    warnings: Annotated[
        list[str], Field(description="what somebody should know of the active generation, each as a sentence")
    ]
    lineage: Annotated[
        dict[str, Any], Field(description="base, data, recipe, metrics and verdict, as the trainer has them")
    ]
    # What clients of text-embeddings-inference look for.
    model_id: Annotated[str, Field(description="name of the checkpoint")]
    model_sha: Annotated[str, Field(description="12 digits of its content hash")]
    model_dtype: Annotated[str, Field(description="precision of its numbers")]
    served_model_name: Annotated[str, Field(description="the same as `model`")]
    model_type: Annotated[ModelType, Field(description="its kind")]
    max_input_length: Annotated[int, Field(description="the same as `max_length`")]
    max_batch_tokens: Annotated[int, Field(description="most tokens in one interactive batch")]
    max_batch_requests: Annotated[int | None, Field(description="null: that is not limited")]
    max_client_batch_size: Annotated[int, Field(description="most texts in one request")]
    max_concurrent_requests: Annotated[int | None, Field(description="null: that is not limited")]
    auto_truncate: Annotated[bool, Field(description="texts that are too long are cut")]
    tokenization_workers: Annotated[int, Field(description="threads that tokenize")]


_INFO = {
    "version": __version__,
    "model": "all-MiniLM-L6-v2@386118f074db",
    "generation": 1,
    "fingerprint": "aa4e0c3f6f0d1b7c",
    "dimensions": 384,
    "engine": "openvino bf16",
    "max_length": 256,
    "prompts": {"query": "", "document": ""},
    "retained": [],
    "documents": 330,
    "collections": {"default": 330},
    "recall": {},
    "activated": "2026-11-23T15:15:54Z",
    "activated_by": None,
    "reload": None,
    "warnings": [],
    "lineage": {},
    "model_id": "all-MiniLM-L6-v2",
    "model_sha": "386118f074db",
    "model_dtype": "bf16",
    "served_model_name": "all-MiniLM-L6-v2@386118f074db",
    "model_type": {"embedding": {"pooling": "mean"}},
    "max_input_length": 256,
    "max_batch_tokens": 1024,
    "max_batch_requests": None,
    "max_client_batch_size": 4096,
    "max_concurrent_requests": None,
    "auto_truncate": True,
    "tokenization_workers": TOKENIZING_THREADS,
}
_METRICS = 'instar_ready 1.0\ninstar_requests_total{method="POST",route="/search",status="200"} 17.0\n'
_ENDED = NotReady("the encoder's thread has ended: restart the service, and report its log")


def routes(core: Core, keys: Keys) -> APIRouter:
    """The routes of those who watch the service."""
    router = APIRouter(tags=["health"], responses=failing(OURS, contract.FAULT))

    @router.get("/", include_in_schema=False)
    async def about() -> About:
        """Name this service and where its documentation is; for whoever opens its address in a browser."""
        return _about(core.settings.proxy.path)

    @router.get(
        "/health",
        summary="Whether it lives",
        responses={200: success("It lives.", Status(status="alive")), **failing(OURS, _ENDED)},
    )
    async def health() -> Status:
        """200 while the process does its work; 503 when a part of it has ended, and only a restart helps."""
        if core.ready and not core.scheduler.alive:
            raise NotReady("the encoder's thread has ended: restart the service, and report its log")
        if core.scheduler.ailment is not None:
            raise NotReady(f"nothing can be encoded ({core.scheduler.ailment}): restart the service")
        if core.ailment is not None:
            raise NotReady(f"maintenance has ended ({core.ailment}): restart the service, and report its log")
        return {"status": "alive"}

    @router.get(
        "/ready",
        summary="Whether it can answer",
        responses={200: success("It can answer.", Status(status="ready")), **failing(OURS, contract.STARTING)},
    )
    async def ready() -> Status:
        """200 when requests are answered; 503 with the stage of the start before."""
        core.require_ready()
        return {"status": "ready"}

    @router.get(
        "/info",
        summary="What runs",
        dependencies=[Depends(keys.needs("search"))],
        responses={200: success("What runs.", _INFO), **failing(OURS, *contract.KEYED, *contract.WORKING)},
    )
    async def info() -> Info:
        """Answer the checkpoint and its generation, and how much there is."""
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
            "activated_by": generation.record.activated_by,
            "reload": core.reloads.current,
            "warnings": list(dict.fromkeys([*generation.encoder.warnings, *generation.record.warnings])),
            "lineage": found.manifest.lineage if found.manifest else {},
            # What clients of text-embeddings-inference look for.
            "model_id": found.name,
            "model_sha": found.id.rpartition("@")[2],
            "model_dtype": generation.encoder.engine.rpartition(" ")[2],
            "served_model_name": generation.model,
            "model_type": {"embedding": {"pooling": generation.encoder.pooling}},
            "max_input_length": generation.encoder.max_length,
            "max_batch_tokens": core.scheduler.budget["interactive"],
            "max_batch_requests": None,
            "max_client_batch_size": core.settings.limits.inputs,
            "max_concurrent_requests": None,
            "auto_truncate": True,
            "tokenization_workers": TOKENIZING_THREADS,
        }

    @router.get(
        "/metrics",
        summary="How it fares",
        operation_id="metrics",
        response_class=Response,
        responses={200: success("Metrics.", _METRICS, str, kind="text/plain")},
    )
    async def scrape() -> Response:
        """Prometheus text format."""
        return Response(generate_latest(core.telemetry.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _about(root_path: str) -> About:
    return About(
        service="Instar",
        version=__version__,
        documentation=f"{root_path}/docs",
        openapi=f"{root_path}/openapi.json",
        ready=f"{root_path}/ready",
        info=f"{root_path}/info",
    )
