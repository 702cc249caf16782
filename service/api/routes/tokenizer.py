"""`GET /tokenizer`: the active checkpoint's tokenizer, for whoever cuts documents before they are sent."""

from fastapi import Response

from service.api.openapi import tokenizer as documented
from service.api.readiness import RequireReady
from service.api.responses import naming
from service.api.router import Admission, Router
from service.generations.loaded import LoadedGenerations
from service.models.encoding import Encoding


def routes(
    admission: Admission, require_ready: RequireReady, generations: LoadedGenerations, encoding: Encoding
) -> Router:
    """The route of the tokenizer."""
    router = Router(admission, "embedding", "embed")

    async def tokenizer() -> Response:
        """Return the tokenizer of the active checkpoint in the form of `tokenizer.json`, which cuts and pads nothing.

        The library tokenizers reads it (`Tokenizer.from_str`), so that a text can be cut to what the model reads before
        it is sent. It has no prompt: `GET /info` has that of documents, and how many tokens the model reads.
        """
        require_ready()
        generation = generations.acquire()
        content = await encoding.on_tokenizer_thread(generation.encoder.tokenizer_json)
        return Response(content, media_type="application/json", headers=naming(generation))

    router.add("GET /tokenizer", tokenizer, documented.TOKENIZER, others=["search", "write"])
    return router
