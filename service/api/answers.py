"""Answers that used a model: JSON with the headers that name the checkpoint and the generation."""

from typing import Any

import orjson
from fastapi import Response

from service.generation import Generation

MODEL_HEADER = "X-Instar-Model"
GENERATION_HEADER = "X-Instar-Generation"


def headers(generation: Generation) -> dict[str, str]:
    """The headers that name what answered."""
    return {MODEL_HEADER: generation.model, GENERATION_HEADER: str(generation.number)}


def answer(content: Any, generation: Generation) -> Response:
    """`content` as JSON; numpy arrays in it are written from their buffers."""
    return Response(
        orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY),
        media_type="application/json",
        headers=headers(generation),
    )
