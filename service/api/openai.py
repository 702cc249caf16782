"""`/v1/embeddings` and `/v1/models`: OpenAI's requests and answers (API reference, Embeddings and Models)."""

import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from service.api.answers import answer
from service.api.body import StrictRoute
from service.api.keys import Keys
from service.api.texts import Given, check_dimensions, check_texts, texts_of
from service.core import Core
from service.encoder.engine import Vectors
from service.errors import NotFound


class EmbeddingsRequest(BaseModel):
    """`input` is a text, texts, token ids of the model's own tokenizer, or lists of them."""

    input: Given
    model: str | None = Field(None, description="active, a checkpoint id, or an alias")
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None


def routes(core: Core, keys: Keys) -> APIRouter:
    """The routes of OpenAI."""
    router = APIRouter(route_class=StrictRoute, dependencies=[Depends(keys.data)], tags=["embedding"])

    @router.post("/v1/embeddings")
    async def embeddings(request: Annotated[EmbeddingsRequest, ...]) -> Response:
        """Embed texts as OpenAI does; vectors have unit length, and token counts are the model's own."""
        core.require_ready()
        generation = core.generations.acquire(request.model)
        encoder = generation.encoder
        given = request.input
        texts = [given] if isinstance(given, str) else await core.encoding.apart(texts_of, given, encoder, "input")
        check_texts(texts, "input", core.settings)
        check_dimensions(request.dimensions, encoder)
        core.encoding.require_room()
        items = await core.encoding.prepare(encoder, texts, None)
        vectors = encoder.finish(await core.encoding.raw(encoder, items), request.dimensions)
        tokens = sum(item.tokens for item in items)
        content = {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": _encode(vectors, index, request.encoding_format)}
                for index in range(len(texts))
            ],
            "model": generation.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
        return answer(content, generation)

    @router.get("/v1/models")
    async def models() -> dict[str, Any]:
        """All names that a request may give as its model."""
        return {"object": "list", "data": [_model(core, name) for name in core.generations.names()]}

    @router.get("/v1/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        """One of these names."""
        known = core.generations.names()
        if name not in known:
            raise NotFound(f"there is no model {name[:120]!r}: there are {', '.join(known)}", "model")
        return _model(core, name)

    return router


def _model(core: Core, name: str) -> dict[str, Any]:
    generation = core.generations.acquire(name)
    return {
        "id": name,
        "object": "model",
        "created": int(generation.record.built.timestamp()),
        "owned_by": "instar",
        "checkpoint": generation.model,
    }


def _encode(vectors: Vectors, index: int, form: str) -> Any:
    # float32, little-endian, as OpenAI's clients decode it.
    return vectors[index] if form == "float" else base64.b64encode(vectors[index].astype("<f4").tobytes()).decode()
