"""`POST /embed`: the request of text-embeddings-inference, with `input_type` and `model` besides."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from service.api.answers import answer
from service.api.body import StrictRoute
from service.api.keys import Keys
from service.api.texts import check_texts
from service.core import Core
from service.encoder.encoder import Encoder
from service.errors import InvalidRequest


class EmbedRequest(BaseModel):
    """Fields as in text-embeddings-inference 1.9; `input_type` says what the texts are, `model` pins a checkpoint."""

    inputs: str | list[str]
    normalize: bool = True
    truncate: bool | None = Field(None, description="false: a text longer than the model reads is an error")
    prompt_name: str | None = None
    dimensions: int | None = Field(None, description="cut the vectors to so many dimensions, then normalise again")
    input_type: Literal["query", "document"] | None = None
    model: str | None = None


def routes(core: Core, keys: Keys) -> APIRouter:
    """The route of text-embeddings-inference."""
    router = APIRouter(route_class=StrictRoute, dependencies=[Depends(keys.data)], tags=["embedding"])

    @router.post("/embed")
    async def embed(request: Annotated[EmbedRequest, ...]) -> Response:
        """Embed texts: a list of vectors, also for one text."""
        core.require_ready()
        core.encoding.require_room()
        texts = [request.inputs] if isinstance(request.inputs, str) else request.inputs
        check_texts(texts, "inputs", core.settings)
        generation = core.generations.acquire(request.model)
        encoder = generation.encoder
        check_dimensions(request.dimensions, encoder)
        if request.truncate is False:
            await core.encoding.apart(_refuse_long, encoder, texts, request)
        items = await core.encoding.prepare(encoder, texts, request.input_type, request.prompt_name)
        raw = await core.encoding.raw(encoder, items)
        return answer(encoder.finish(raw, request.dimensions, normalize=request.normalize), generation)

    return router


def check_dimensions(dimensions: int | None, encoder: Encoder) -> None:
    """Raise InvalidRequest unless vectors of `encoder` can be cut to `dimensions`."""
    if dimensions is not None and not 1 <= dimensions <= encoder.dimensions:
        raise InvalidRequest(f"dimensions must be 1 to {encoder.dimensions} with {encoder.checkpoint.id}", "dimensions")


def _refuse_long(encoder: Encoder, texts: list[str], request: EmbedRequest) -> None:
    for text in texts:
        tokens = encoder.count(text, request.input_type, request.prompt_name)
        if tokens > encoder.max_length:
            raise InvalidRequest(
                f"a text has {tokens} tokens, the model reads {encoder.max_length}: shorten it, or leave truncate out",
                "inputs",
            )
