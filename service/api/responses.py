"""Answers that used a model: JSON with the headers that name the checkpoint and the generation."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import Response

from service.generations.generation import Generation

MODEL_HEADER = "X-Instar-Model"
GENERATION_HEADER = "X-Instar-Generation"
RERANKER_HEADER = "X-Instar-Reranker"
# Headers of every answer that keep browsers from misusing it (OWASP, HTTP Headers Cheat Sheet).
SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
# Headers of a page that somebody else has made: in a browser it is a place of its own, where nothing runs and nothing
# else is loaded.
HARMLESS = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "Cache-Control": "no-store",
    "X-DNS-Prefetch-Control": "off",
}


def protected(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer, and the security headers that it does not set itself."""
    names = {name for name, _ in headers}
    return [*headers, *(header for header in SECURITY_HEADERS if header[0] not in names)]


def naming(generation: Generation) -> dict[str, str]:
    """Return the headers that name the checkpoint and the generation that answered."""
    return {MODEL_HEADER: generation.model, GENERATION_HEADER: str(generation.number)}


def scored_answer(content: Any, reranker: str) -> Response:
    """Answer `content`, made of scores of the `reranker` with that id, as JSON."""
    headers = {RERANKER_HEADER: reranker}
    return Response(orjson.dumps(content), media_type="application/json", headers=headers)


def json_answer(content: Any, generation: Generation, seconds: Mapping[str, float] | None = None) -> Response:
    """Answer `content` as JSON. NumPy arrays in it are written from their buffers.

    `seconds` by step become the header `Server-Timing` (W3C, Server Timing), in milliseconds.
    """
    headers = naming(generation)
    if seconds is not None:
        headers["Server-Timing"] = ", ".join(f"{part};dur={1000 * took:.2f}" for part, took in seconds.items())
    return Response(
        orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json", headers=headers
    )
