"""`/v1/embeddings` and `/v1/models`: OpenAI's requests and answers (API reference, Embeddings and Models)."""

import base64
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Path, Response
from pydantic import Field
from typing_extensions import TypedDict

from service.api import contract
from service.api.answers import answer
from service.api.body import StrictRoute
from service.api.body_model import BodyModel, Integer
from service.api.contract import failing, requests, success
from service.api.forms import OPENAI
from service.api.keys import Keys
from service.api.texts import Given, ModelName, check_dimensions, check_texts, texts_of
from service.core import Core
from service.errors import EmptyInput, InvalidRequest, NotFound, TooLarge
from service.models.encoder import Side
from service.models.engines.base import Vectors


class EmbeddingsRequest(BodyModel):
    """Texts to embed."""

    input: Given = Field(
        description="a text or texts; with `INSTAR_CLIENTS__TOKEN_IDS` token ids of the model's own tokenizer, or"
        " lists of them"
    )
    model: ModelName = None
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="base64: of the numbers as little-endian float32"
    )
    dimensions: Integer | None = Field(None, description="cut the vectors to so many dimensions, then normalise again")
    user: str | None = Field(None, description="taken, and not looked at")


class EmbeddedText(TypedDict):
    """The vector of a text."""

    object: Annotated[Literal["embedding"], Field(description="what this is")]
    index: Annotated[int, Field(description="place of the text in the request, from 0")]
    embedding: Annotated[list[float] | str, Field(description="the numbers, or their base64 where that was asked")]


class Usage(TypedDict):
    """What the model read."""

    prompt_tokens: Annotated[int, Field(description="tokens of all texts, special ones included")]
    total_tokens: Annotated[int, Field(description="the same number")]


class EmbeddingsAnswer(TypedDict):
    """Vectors, in the order of the texts."""

    object: Annotated[Literal["list"], Field(description="what this is")]
    data: Annotated[list[EmbeddedText], Field(description="a vector for each text")]
    model: Annotated[str, Field(description="id of the checkpoint that answered")]
    usage: Annotated[Usage, Field(description="what the model read")]


class Model(TypedDict):
    """A name that a request may give as its model."""

    id: Annotated[str, Field(description="active, the id of a checkpoint, or an alias")]
    object: Annotated[Literal["model"], Field(description="what this is")]
    created: Annotated[int, Field(description="when its generation was built, in seconds since 1970")]
    owned_by: Annotated[str, Field(description="always instar")]
    checkpoint: Annotated[str, Field(description="id of the checkpoint that answers by this name")]


class ModelsAnswer(TypedDict):
    """All names that a request may give as its model."""

    object: Annotated[Literal["list"], Field(description="what this is")]
    data: Annotated[list[Model], Field(description="active, then the checkpoints, then the aliases")]


_MODEL: Model = {
    "id": "active",
    "object": "model",
    "created": 1795446954,
    "owned_by": "instar",
    "checkpoint": "all-MiniLM-L6-v2@386118f074db",
}
_NAMES = requests({"the active one": "active"})
_EMBEDDINGS: EmbeddingsAnswer = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.7, 0.7]}],
    "model": "all-MiniLM-L6-v2@386118f074db",
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}


def routes(core: Core, keys: Keys) -> APIRouter:
    """The routes of OpenAI."""
    router = APIRouter(
        route_class=StrictRoute,
        dependencies=[Depends(keys.needs("embed"))],
        tags=["embedding"],
        responses=failing(OPENAI, *contract.KEYED, *contract.WORKING),
    )

    @router.post(
        "/v1/embeddings",
        summary="Embed texts, for clients of OpenAI",
        responses={
            200: success("A vector for each text.", _EMBEDDINGS, EmbeddingsAnswer, contract.NAMED),
            **failing(
                OPENAI,
                EmptyInput("input is empty or blank: send text, or leave it out", "input"),
                InvalidRequest("dimensions must be 1 to 384 with all-MiniLM-L6-v2@386118f074db", "dimensions"),
                contract.UNKNOWN_MODEL,
                TooLarge("input has 5000 texts, more than 4096: send parts, or raise INSTAR_LIMITS__INPUTS", "input"),
                contract.NOT_FINITE,
                *contract.BUSY,
            ),
        },
    )
    async def embeddings(
        request: Annotated[
            EmbeddingsRequest,
            Body(
                openapi_examples=requests(
                    {
                        "one text": {"input": "one text", "model": "active", "dimensions": 3},
                        "base64": {"input": ["one text", "another"], "encoding_format": "base64"},
                    }
                )
            ),
        ],
    ) -> Response:
        """Embed texts as OpenAI does; vectors have unit length, and token counts are the model's own."""
        core.require_ready()
        generation = core.generations.acquire(request.model)
        encoder = generation.encoder
        given = request.input
        texts = (
            [given]
            if isinstance(given, str)
            else await core.encoding.apart(texts_of, given, encoder, "input", core.settings)
        )
        check_texts(texts, "input", core.settings)
        check_dimensions(request.dimensions, encoder)
        core.encoding.require_room()
        items = await core.encoding.prepare(
            encoder, texts, _side(given) if core.settings.clients.openai_sides else None
        )
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

    @router.get(
        "/v1/models",
        summary="List names of models",
        responses={200: success("The names.", ModelsAnswer(object="list", data=[_MODEL]))},
    )
    async def list_models() -> ModelsAnswer:
        """All names that a request may give as its model."""
        return {"object": "list", "data": [_model(core, name) for name in core.generations.names()]}

    @router.get(
        "/v1/models/{name:path}",
        summary="Read one name of a model",
        responses={
            200: success("The name.", _MODEL),
            **failing(OPENAI, NotFound("there is no model 'another': there are active", "model")),
        },
    )
    async def read_model(name: Annotated[str, Path(description="the name", openapi_examples=_NAMES)]) -> Model:
        """One of these names."""
        known = core.generations.names()
        if name not in known:
            raise NotFound(f"there is no model {name[:120]!r}: there are {', '.join(known)}", "model")
        return _model(core, name)

    return router


def _side(given: Given) -> Side:
    return "query" if isinstance(given, str) else "document"


def _model(core: Core, name: str) -> Model:
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
