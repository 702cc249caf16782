"""`POST /v1/embeddings`: the OpenAI request and answer (API reference, Create embeddings)."""

import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from service.api.answers import answer
from service.api.body import StrictRoute
from service.api.embed import check_dimensions
from service.api.keys import Keys
from service.api.texts import check_texts
from service.core import Core
from service.encoder.encoder import Encoder
from service.encoder.engine import Vectors
from service.errors import InvalidRequest


class EmbeddingsRequest(BaseModel):
    """`input` is a text, texts, token ids of the model's own tokenizer, or lists of them."""

    input: str | list[str] | list[int] | list[list[int]]
    model: str | None = Field(None, description="active, or a checkpoint id")
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None


def routes(core: Core, keys: Keys) -> APIRouter:
    """The route of OpenAI."""
    router = APIRouter(route_class=StrictRoute, dependencies=[Depends(keys.data)], tags=["embedding"])

    @router.post("/v1/embeddings")
    async def embeddings(request: Annotated[EmbeddingsRequest, ...]) -> Response:
        """Embed texts as OpenAI does; vectors have unit length, and token counts are the model's own."""
        core.require_ready()
        generation = core.generations.acquire(request.model)
        encoder = generation.encoder
        given = request.input
        texts = [given] if isinstance(given, str) else await core.encoding.apart(_texts, given, encoder)
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

    return router


def _texts(given: list[str] | list[int] | list[list[int]], encoder: Encoder) -> list[str]:
    texts: list[str] = []
    ids: list[int] = []
    for item in given:
        if isinstance(item, str):
            texts.append(item)
        elif isinstance(item, int):
            ids.append(item)
        elif not item:
            raise InvalidRequest("input has an empty list of token ids: leave it out", "input")
        else:
            texts.append(encoder.decode(item))
    return [*texts, encoder.decode(ids)] if ids else texts


def _encode(vectors: Vectors, index: int, form: str) -> Any:
    # float32, little-endian, as OpenAI's clients decode it.
    return vectors[index] if form == "float" else base64.b64encode(vectors[index].astype("<f4").tobytes()).decode()
