"""`/tokenize` and `/decode` of text-embeddings-inference: turn texts into tokens, and token ids into texts."""

from dataclasses import asdict
from typing import Any

from fastapi import Response

from service.api.error_forms import TEI
from service.api.inputs import check_texts
from service.api.openapi import tokens as documented
from service.api.readiness import RequireReady
from service.api.responses import json_answer
from service.api.router import Admission, Router
from service.api.schemas.tokens import DecodeRequest, TokenizeRequest
from service.generations.loaded import LoadedGenerations
from service.models.encoding import Encoding
from service.settings import Settings


def routes(
    admission: Admission,
    require_ready: RequireReady,
    generations: LoadedGenerations,
    encoding: Encoding,
    settings: Settings,
) -> Router:
    """The routes of text-embeddings-inference that need the tokenizer alone."""
    router = Router(admission, "embedding", "embed", TEI)
    handlers = _Tokens(require_ready, generations, encoding, settings)
    router.add("POST /tokenize", handlers.tokenize, documented.TOKENIZE)
    router.add("POST /decode", handlers.decode, documented.DECODE)
    return router


class _Tokens:
    def __init__(
        self, require_ready: RequireReady, generations: LoadedGenerations, encoding: Encoding, settings: Settings
    ) -> None:
        self._require_ready = require_ready
        self._generations = generations
        self._encoding = encoding
        self._settings = settings

    async def tokenize(self, request: TokenizeRequest) -> Response:
        """Tokenize each text. `start` and `stop` count characters of the text with its prompt."""
        self._require_ready()
        texts = [request.inputs] if isinstance(request.inputs, str) else request.inputs
        check_texts(texts, "inputs", self._settings)
        generation = self._generations.acquire(request.model)

        def tokens(text: str) -> list[dict[str, Any]]:
            every = generation.encoder.tokens(text, request.prompt_name, special=request.add_special_tokens)
            return [asdict(token) for token in every]

        return json_answer(
            await self._encoding.on_tokenizer_thread(lambda: [tokens(text) for text in texts]), generation
        )

    async def decode(self, request: DecodeRequest) -> Response:
        """Turn token ids of the model's own tokenizer into text."""
        self._require_ready()
        generation = self._generations.acquire(request.model)
        single = [item for item in request.ids if isinstance(item, int)]
        lists = [single] if single else [item for item in request.ids if isinstance(item, list)]

        def texts() -> list[str]:
            skip = request.skip_special_tokens
            return [generation.encoder.decode(ids, "ids", skip_special=skip) for ids in lists]

        return json_answer(await self._encoding.on_tokenizer_thread(texts), generation)
