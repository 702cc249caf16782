"""`/v1/embeddings` and `/v1/models`, as OpenAI has them."""

import base64
from typing import Any

import numpy as np
from fastapi import Response

from service.api.error_forms import OPENAI
from service.api.inputs import TextsOrTokens, check_dimensions, check_texts, texts_of
from service.api.openapi import openai as documented
from service.api.output_dtypes import OutputDtypes, check_dtype
from service.api.readiness import RequireReady
from service.api.responses import json_answer
from service.api.router import Admission, Router
from service.api.schemas.openai import EmbeddingsRequest, Model, ModelsAnswer, Name
from service.generations.errors import no_name
from service.generations.loaded import LoadedGenerations
from service.models.base import Side
from service.models.encoding import Encoding
from service.models.quantisation import Quantised
from service.settings import Settings


def routes(
    admission: Admission,
    require_ready: RequireReady,
    generations: LoadedGenerations,
    encoding: Encoding,
    output: OutputDtypes,
    settings: Settings,
) -> Router:
    """The routes of OpenAI."""
    router = Router(admission, "embedding", "embed", OPENAI)
    embedding = _Embedding(require_ready, generations, encoding, output, settings)
    models = _Models(generations)
    router.add("POST /v1/embeddings", embedding.embeddings, documented.EMBEDDINGS)
    router.add("GET /v1/models", models.list_models, documented.LIST)
    router.add("GET /v1/models/{name:path}", models.read_model, documented.READ)
    return router


class _Embedding:
    def __init__(
        self,
        require_ready: RequireReady,
        generations: LoadedGenerations,
        encoding: Encoding,
        output: OutputDtypes,
        settings: Settings,
    ) -> None:
        self._require_ready = require_ready
        self._generations = generations
        self._encoding = encoding
        self._output = output
        self._settings = settings

    async def embeddings(self, request: EmbeddingsRequest) -> Response:
        """Embed texts as OpenAI does. Vectors have unit length, and token counts are the model's own."""
        self._require_ready()
        encoding, settings = self._encoding, self._settings
        generation = self._generations.acquire(request.model)
        encoder = generation.encoder
        texts = (
            [request.input]
            if isinstance(request.input, str)
            else await encoding.on_tokenizer_thread(texts_of, request.input, encoder, "input", settings)
        )
        check_texts(texts, "input", settings)
        check_dimensions(request.dimensions, encoder)
        check_dtype(request.output_dtype, request.dimensions, encoder)
        encoding.require_capacity()
        items = await encoding.prepare(encoder, texts, _side(request.input) if settings.clients.openai_sides else None)
        raw = await encoding.raw(encoder, items)
        vectors, naming = await self._output.finish(generation, raw, request.output_dtype, request.dimensions)
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
        response = json_answer(content, generation)
        response.headers.update(naming)
        return response


class _Models:
    def __init__(self, generations: LoadedGenerations) -> None:
        self._generations = generations

    async def list_models(self) -> ModelsAnswer:
        """List all names that a request may give as its model."""
        return {"object": "list", "data": [self._model(name) for name in self._generations.names()]}

    async def read_model(self, name: Name) -> Model:
        """Say which checkpoint answers by a name."""
        names = self._generations.names()
        if name not in names:
            raise no_name(name, names)
        return self._model(name)

    def _model(self, name: str) -> Model:
        generation = self._generations.acquire(name)
        return {
            "id": name,
            "object": "model",
            "created": int(generation.record.built.timestamp()),
            "owned_by": "instar",
            "checkpoint": generation.model,
        }


def _side(inputs: TextsOrTokens) -> Side:
    return "query" if isinstance(inputs, str) else "document"


def _encode(vectors: Quantised, index: int, form: str) -> Any:
    if form == "float":
        return vectors[index]
    # OpenAI's clients decode little-endian float32; other types have a byte for each number.
    numbers = vectors[index].astype("<f4") if vectors.dtype == np.float32 else vectors[index]
    return base64.b64encode(numbers.tobytes()).decode()
