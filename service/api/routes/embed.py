"""The routes of text-embeddings-inference (1.9), which also take `input_type` and `model`.

Hugging Face's clients call `POST /` if their model is the address of a server. It embeds or compares, by the form of
the request.
"""

import time
from collections.abc import Sequence

from fastapi import Response

from service.access.limits import RateLimits
from service.api.error_forms import TEI
from service.api.inputs import TextsOrTokens, check_dimensions, check_texts, texts_of
from service.api.openapi import embed as documented
from service.api.output_dtypes import OutputDtypes, check_dtype
from service.api.readiness import RequireReady
from service.api.responses import json_answer
from service.api.router import Admission, Router
from service.api.schemas.embed import (
    EmbedAllRequest,
    EmbedRequest,
    Reading,
    SimilarityRequest,
)
from service.errors import InvalidRequest
from service.generations.generation import Generation
from service.generations.loaded import LoadedGenerations
from service.machine.arrays import Vectors
from service.models.base import ServedModel, Side
from service.models.encoding import Encoding
from service.settings import Settings


def routes(
    admission: Admission,
    require_ready: RequireReady,
    generations: LoadedGenerations,
    encoding: Encoding,
    output: OutputDtypes,
    limits: RateLimits,
    settings: Settings,
) -> Router:
    """The routes of text-embeddings-inference that compute vectors."""
    router = Router(admission, "embedding", "embed", TEI)
    handlers = _Vectors(require_ready, generations, encoding, output, limits, settings)
    router.add("POST /embed", handlers.embed, documented.EMBED)
    router.add("POST /embed_all", handlers.embed_all, documented.EMBED_ALL)
    router.add("POST /similarity", handlers.similarity, documented.SIMILARITY)
    router.add("POST /", handlers.either, documented.EITHER)
    return router


class _Vectors:
    def __init__(
        self,
        require_ready: RequireReady,
        generations: LoadedGenerations,
        encoding: Encoding,
        output: OutputDtypes,
        limits: RateLimits,
        settings: Settings,
    ) -> None:
        self._require_ready = require_ready
        self._generations = generations
        self._encoding = encoding
        self._output = output
        self._limits = limits
        self._settings = settings

    async def embed(self, request: EmbedRequest) -> Response:
        """Embed texts. The answer is a list of vectors, for one text as well.

        Answers of another `output_dtype` than float name it in a header, and those in int8 or uint8 also tell the
        range of their numbers.
        """
        began = time.perf_counter()
        generation, texts = await self._texts(request, request.inputs)
        dtype, dimensions, normalize = request.output_dtype, request.dimensions, request.normalize
        check_dimensions(dimensions, generation.encoder)
        check_dtype(dtype, dimensions, generation.encoder, normalize=normalize)
        raw, headers = await self._encode(generation, texts, request, request.input_type)
        vectors, naming = await self._output.finish(generation, raw, dtype, dimensions, normalize=normalize)
        return _timed(json_answer(vectors, generation), began, headers | naming)

    async def embed_all(self, request: EmbedAllRequest) -> Response:
        """Embed every token of each text, special tokens included, as the model does before pooling."""
        began = time.perf_counter()
        generation, texts = await self._texts(request, request.inputs)
        encoder = generation.encoder
        await self._check_lengths(encoder, texts, request, None)
        prompt = encoder.prompt(None, request.prompt_name)
        vectors = await self._encoding.on_tokenizer_thread(encoder.token_vectors, texts, prompt)
        tokens = sum(map(len, vectors))
        self._limits.charge_tokens(tokens)
        return _timed(json_answer(vectors, generation), began, _counted(encoder, texts, tokens))

    async def similarity(self, request: SimilarityRequest) -> Response:
        """Compare each sentence with the source sentence, by the cosine of their vectors."""
        began = time.perf_counter()
        reading = request.parameters.model_copy(update={"model": request.model or request.parameters.model})
        sentences = [request.inputs.source_sentence, *request.inputs.sentences]
        if len(sentences) == 1:
            raise InvalidRequest("inputs.sentences is empty: send at least one", "inputs.sentences")
        generation, texts = await self._texts(reading, sentences)
        raw, headers = await self._encode(generation, texts, reading, None)
        source, *others = generation.encoder.finish(raw)
        return _timed(json_answer([float(source @ other) for other in others], generation), began, headers)

    async def either(self, request: SimilarityRequest | EmbedRequest) -> Response:
        """Embed texts or compare sentences, by the form of the request."""
        return await (self.similarity(request) if isinstance(request, SimilarityRequest) else self.embed(request))

    async def _texts(self, reading: Reading, inputs: TextsOrTokens) -> tuple[Generation, list[str]]:
        self._require_ready()
        self._encoding.require_capacity()
        generation = self._generations.acquire(reading.model)
        texts = (
            [inputs]
            if isinstance(inputs, str)
            else await self._encoding.on_tokenizer_thread(
                texts_of, inputs, generation.encoder, "inputs", self._settings
            )
        )
        check_texts(texts, "inputs", self._settings)
        return generation, texts

    async def _encode(
        self, generation: Generation, texts: list[str], reading: Reading, side: Side | None
    ) -> tuple[Vectors, dict[str, str]]:
        encoding, encoder = self._encoding, generation.encoder
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

    async def _check_lengths(self, encoder: ServedModel, texts: list[str], reading: Reading, side: Side | None) -> None:
        if reading.truncate is False:
            await self._encoding.on_tokenizer_thread(_refuse_long, encoder, texts, side, reading.prompt_name)


def _counted(encoder: ServedModel, texts: Sequence[str], tokens: int) -> dict[str, str]:
    return {
        "x-compute-type": "gpu" if encoder.on_gpu else "cpu",
        "x-compute-characters": str(sum(map(len, texts))),
        "x-compute-tokens": str(tokens),
    }


def _timed(response: Response, began: float, headers: dict[str, str]) -> Response:
    """Add the headers of text-embeddings-inference. `x-inference-time` includes the time in the queue here."""
    took = _milliseconds(time.perf_counter() - began)
    response.headers.update(headers | {"x-compute-time": took, "x-total-time": took})
    return response


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


def _refuse_long(encoder: ServedModel, texts: list[str], side: Side | None, prompt_name: str | None) -> None:
    for text in texts:
        tokens = encoder.count(text, side, prompt_name)
        if tokens > encoder.max_length:
            raise InvalidRequest(
                f"a text has {tokens} tokens, but the model reads {encoder.max_length}: cut it, or leave out truncate",
                "inputs",
            )
