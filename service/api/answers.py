"""Answers that used a model: JSON with the headers that name the checkpoint and the generation."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response

from service.generations.generation import Generation

MODEL_HEADER = "X-Instar-Model"
GENERATION_HEADER = "X-Instar-Generation"


def headers(generation: Generation) -> dict[str, str]:
    """The headers that name what answered."""
    return {MODEL_HEADER: generation.model, GENERATION_HEADER: str(generation.number)}


def answer(content: Any, generation: Generation, seconds: Mapping[str, float] | None = None) -> Response:
    """`content` as JSON; numpy arrays in it are written from their buffers.

    `seconds` by part become the header `Server-Timing` (W3C, Server Timing), which has milliseconds.
    """
    named = headers(generation)
    if seconds is not None:
        named["Server-Timing"] = ", ".join(f"{part};dur={1000 * took:.2f}" for part, took in seconds.items())
    return Response(
        orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json", headers=named
    )
