"""The routes of text-embeddings-inference (1.9), with `input_type` and `model` besides.

`POST /` is what Hugging Face's clients call when they are given the address of a server as the model: it embeds, or
compares, by the form of the request.
"""

import time
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Response
from pydantic import BeforeValidator, Field, StrictBool, StrictInt

from service.api import contract
from service.api.answers import answer
from service.api.body import StrictRoute
from service.api.body_model import BodyModel, Integer
from service.api.contract import failing, header, requests, success
from service.api.forms import TEI
from service.api.keys import Keys
from service.api.texts import Given, ModelName, check_dimensions, check_texts, texts_of
from service.core import Core
from service.errors import EmptyInput, InvalidRequest, TooLarge
from service.generations.generation import Generation
from service.models.encoder import Direction, Encoder, Side, Token
from service.models.engines.base import Vectors

# Answered in the form of text-embeddings-inference, errors too.
PATHS = frozenset(("/", "/embed", "/embed_all", "/similarity", "/tokenize", "/decode"))

PromptName = Annotated[
    str | None, Field(description="the checkpoint's prompt of that name goes before each text; default: its own")
]
_COUNTED = {
    "x-compute-type": header("cpu or gpu", "cpu"),
    "x-compute-time": header("milliseconds that the request took", 5),
    "x-total-time": header("milliseconds that the request took", 5),
    "x-compute-characters": header("characters of all texts", 8),
    "x-compute-tokens": header("tokens that the model read, special ones included", 4),
}
_ENCODED = _COUNTED | {
    "x-tokenization-time": header("milliseconds of tokenizing", 1),
    "x-inference-time": header("milliseconds of encoding, the time in the queue included", 4),
}
_READING = (
    InvalidRequest("prompt_name: Input should be a valid string", "prompt_name"),
    TooLarge("inputs has 5000 texts, more than 4096: send parts, or raise INSTAR_LIMITS__INPUTS", "inputs"),
    contract.UNKNOWN_MODEL,
)
_EMBEDDING = (
    EmptyInput("inputs is empty: send at least one text", "inputs"),
    *_READING,
    *contract.BUSY,
)


def _lower(value: Any) -> Any:
    # Its own clients differ in how they spell it.
    return value.lower() if isinstance(value, str) else value


class Reading(BodyModel):
    """How texts are read, in all requests."""

    truncate: StrictBool | None = Field(None, description="false: a text longer than the model reads is an error")
    truncation_direction: Annotated[Direction | None, BeforeValidator(_lower)] = Field(
        None, description="the end at which a longer text is cut; default: the checkpoint's own"
    )
    prompt_name: PromptName = None
    model: ModelName = None


class EmbedAllRequest(Reading):
    """Texts of which every token's vector is asked."""

    inputs: Given = Field(
        description="a text or texts; with `INSTAR_CLIENTS__TOKEN_IDS` token ids of the model's own tokenizer, or"
        " lists of them"
    )


class EmbedRequest(EmbedAllRequest):
    """Texts to embed; `input_type` says what they are."""

    normalize: StrictBool = Field(True, description="give the vectors unit length")
    dimensions: Integer | None = Field(None, description="cut the vectors to so many dimensions, then normalise again")
    input_type: Side | None = Field(None, description="apply the checkpoint's prompt of that side")


class Compared(BodyModel):
    """One sentence, and those that it is compared with."""

    source_sentence: str = Field(description="the sentence that each of the others is compared with")
    sentences: list[str] = Field(description="the others")


class SimilarityRequest(BodyModel):
    """Sentences to compare."""

    inputs: Compared = Field(description="the sentences")
    parameters: Reading = Field(Reading(), description="how they are read")
    model: ModelName = None


class TokenizeRequest(BodyModel):
    """Texts whose tokens are asked."""

    inputs: str | list[str] = Field(description="a text, or several")
    add_special_tokens: StrictBool = Field(True, description="with the tokens that the model puts around a text")
    prompt_name: PromptName = None
    model: ModelName = None


class DecodeRequest(BodyModel):
    """Token ids whose text is asked."""

    ids: list[StrictInt] | list[list[StrictInt]] = Field(description="token ids of one text, or of several")
    skip_special_tokens: StrictBool = Field(True, description="leave out the tokens that the model puts around a text")
    model: ModelName = None


def routes(core: Core, keys: Keys) -> APIRouter:
    """The routes of text-embeddings-inference."""
    router = APIRouter(
        route_class=StrictRoute,
        dependencies=[Depends(keys.needs("embed"))],
        tags=["embedding"],
        responses=failing(TEI, *contract.KEYED, *contract.WORKING),
    )
    work = _Work(core)

    @router.post(
        "/embed",
        summary="Embed texts",
        responses={
            200: success("A vector for each text.", [[0.1, -0.7, 0.7]], list[list[float]], contract.NAMED | _ENCODED),
            **failing(TEI, *_EMBEDDING, contract.NOT_FINITE),
        },
    )
    async def embed(
        request: Annotated[
            EmbedRequest,
            Body(
                openapi_examples=requests(
                    {
                        "one text": {"inputs": "How do I count my stock again?"},
                        "documents": {"inputs": ["one text", "another"], "input_type": "document", "dimensions": 3},
                    }
                )
            ),
        ],
    ) -> Response:
        """Embed texts: a list of vectors, also for one text."""
        return await work.embed(request)

    @router.post(
        "/embed_all",
        summary="Embed each token",
        responses={
            200: success(
                "For each text, a vector for each of its tokens.",
                [[[0.2, -0.1, 0.4], [0.3, 0.0, -0.5]]],
                list[list[list[float]]],
                contract.NAMED | _COUNTED,
            ),
            **failing(TEI, *_EMBEDDING),
        },
    )
    async def embed_all(
        request: Annotated[EmbedAllRequest, Body(openapi_examples=requests({"one text": {"inputs": "one text"}}))],
    ) -> Response:
        """A vector for every token of each text, special ones included, as the model has them before pooling."""
        return await work.embed_all(request)

    @router.post(
        "/similarity",
        summary="Compare sentences",
        responses={
            200: success("A cosine for each sentence.", [0.68, 0.05], list[float], contract.NAMED | _ENCODED),
            **failing(TEI, *_EMBEDDING, contract.NOT_FINITE),
        },
    )
    async def similarity(
        request: Annotated[
            SimilarityRequest,
            Body(
                openapi_examples=requests(
                    {
                        "two sentences": {
                            "inputs": {"source_sentence": "count the stock", "sentences": ["stocktaking", "a parcel"]}
                        }
                    }
                )
            ),
        ],
    ) -> Response:
        """The cosine of each sentence to the source sentence."""
        return await work.similarity(request)

    @router.post("/", include_in_schema=False)
    async def either(request: Annotated[SimilarityRequest | EmbedRequest, ...]) -> Response:
        return await (work.similarity(request) if isinstance(request, SimilarityRequest) else work.embed(request))

    @router.post(
        "/tokenize",
        summary="Tokenize texts",
        responses={
            200: success(
                "For each text its tokens.",
                [[{"id": 3521, "text": "stock", "special": False, "start": 0, "stop": 5}]],
                list[list[Token]],
                contract.NAMED,
            ),
            **failing(TEI, EmptyInput("inputs is empty or blank: send text, or leave it out", "inputs"), *_READING),
        },
    )
    async def tokenize(
        request: Annotated[
            TokenizeRequest,
            Body(openapi_examples=requests({"one text": {"inputs": "stock", "add_special_tokens": False}})),
        ],
    ) -> Response:
        """The tokens of each text; `start` and `stop` count characters of the text with its prompt."""
        core.require_ready()
        texts = [request.inputs] if isinstance(request.inputs, str) else request.inputs
        check_texts(texts, "inputs", core.settings)
        generation = core.generations.acquire(request.model)

        def tokens(text: str) -> list[dict[str, Any]]:
            found = generation.encoder.tokens(text, request.prompt_name, special=request.add_special_tokens)
            return [asdict(token) for token in found]

        return answer(await core.encoding.apart(lambda: [tokens(text) for text in texts]), generation)

    @router.post(
        "/decode",
        summary="Turn token ids into text",
        responses={
            200: success("A text for each list of ids.", ["stock"], list[str], contract.NAMED),
            **failing(TEI, *_READING),
        },
    )
    async def decode(
        request: Annotated[DecodeRequest, Body(openapi_examples=requests({"one text": {"ids": [101, 4518, 102]}}))],
    ) -> Response:
        """The text of token ids of the model's own tokenizer."""
        core.require_ready()
        generation = core.generations.acquire(request.model)
        alone = [one for one in request.ids if isinstance(one, int)]
        lists = [alone] if alone else [ids for ids in request.ids if isinstance(ids, list)]

        def texts() -> list[str]:
            skip = request.skip_special_tokens
            return [generation.encoder.decode(ids, "ids", skip_special=skip) for ids in lists]

        return answer(await core.encoding.apart(texts), generation)

    return router


class _Work:
    """What routes have in common: from texts to vectors, with the headers that say what it took."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def embed(self, request: EmbedRequest) -> Response:
        began = time.perf_counter()
        generation, texts = await self._texts(request, request.inputs)
        check_dimensions(request.dimensions, generation.encoder)
        raw, headers = await self._encode(generation, texts, request, request.input_type)
        vectors = generation.encoder.finish(raw, request.dimensions, normalize=request.normalize)
        return _timed(answer(vectors, generation), began, headers)

    async def similarity(self, request: SimilarityRequest) -> Response:
        began = time.perf_counter()
        reading = request.parameters.model_copy(update={"model": request.model or request.parameters.model})
        given = [request.inputs.source_sentence, *request.inputs.sentences]
        if len(given) == 1:
            raise InvalidRequest("inputs.sentences is empty: send at least one", "inputs.sentences")
        generation, texts = await self._texts(reading, given)
        raw, headers = await self._encode(generation, texts, reading, None)
        source, *others = generation.encoder.finish(raw)
        return _timed(answer([float(source @ other) for other in others], generation), began, headers)

    async def embed_all(self, request: EmbedAllRequest) -> Response:
        began = time.perf_counter()
        generation, texts = await self._texts(request, request.inputs)
        encoder = generation.encoder
        await self._check_lengths(encoder, texts, request, None)
        prompt = encoder.prompt(None, request.prompt_name)
        vectors = await self._core.encoding.apart(encoder.token_vectors, texts, prompt)
        self._core.allowances.spend(sum(map(len, vectors)))
        headers = _counted(encoder, texts, sum(map(len, vectors)))
        return _timed(answer(vectors, generation), began, headers)

    async def _texts(self, reading: Reading, given: Given) -> tuple[Generation, list[str]]:
        core = self._core
        core.require_ready()
        core.encoding.require_room()
        generation = core.generations.acquire(reading.model)
        texts = (
            [given]
            if isinstance(given, str)
            else await core.encoding.apart(texts_of, given, generation.encoder, "inputs", core.settings)
        )
        check_texts(texts, "inputs", core.settings)
        return generation, texts

    async def _encode(
        self, generation: Generation, texts: list[str], reading: Reading, side: Side | None
    ) -> tuple[Vectors, dict[str, str]]:
        encoding, encoder = self._core.encoding, generation.encoder
        began = time.perf_counter()
        await self._check_lengths(encoder, texts, reading, side)
        items = await encoding.prepare(encoder, texts, side, reading.prompt_name, reading.truncation_direction)
        tokenized = time.perf_counter()
        raw = await encoding.raw(encoder, items)
        headers = _counted(encoder, texts, sum(item.tokens for item in items)) | {
            "x-tokenization-time": _milliseconds(tokenized - began),
            "x-inference-time": _milliseconds(time.perf_counter() - tokenized),
        }
        return raw, headers

    async def _check_lengths(self, encoder: Encoder, texts: list[str], reading: Reading, side: Side | None) -> None:
        if reading.truncate is False:
            await self._core.encoding.apart(_refuse_long, encoder, texts, side, reading.prompt_name)


def _counted(encoder: Encoder, texts: list[str], tokens: int) -> dict[str, str]:
    return {
        "x-compute-type": "gpu" if encoder.on_gpu else "cpu",
        "x-compute-characters": str(sum(map(len, texts))),
        "x-compute-tokens": str(tokens),
    }


def _timed(response: Response, began: float, headers: dict[str, str]) -> Response:
    """With the headers of text-embeddings-inference. Its time in the queue is in `x-inference-time` here."""
    took = _milliseconds(time.perf_counter() - began)
    response.headers.update(headers | {"x-compute-time": took, "x-total-time": took})
    return response


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


def _refuse_long(encoder: Encoder, texts: list[str], side: Side | None, prompt_name: str | None) -> None:
    for text in texts:
        tokens = encoder.count(text, side, prompt_name)
        if tokens > encoder.max_length:
            raise InvalidRequest(
                f"a text has {tokens} tokens, the model reads {encoder.max_length}: shorten it, or leave truncate out",
                "inputs",
            )
