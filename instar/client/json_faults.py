"""The part of a value by which it is no JSON: a date, NaN, half a character."""

import json
from http import HTTPStatus
from typing import Any

from instar.client.errors import Unsendable

# Metadata that holds itself has no end.
_DEEPEST = 20
_REMEDY = "make it a string, a finite number, true, false, null, or a list or an object of these"


def require_json(value: object, otherwise: str) -> None:
    """Raise Unsendable, whose message begins with `otherwise`, unless the value is JSON."""
    if (reason := _reason(value)) is not None:
        raise unsendable(value, reason, otherwise)


def unsendable(value: object, reason: str, beginning: str) -> Unsendable:
    """The error for a request with `value`, which names the part at fault; `reason` is why, if the value is JSON."""
    where, reason = _fault(value, _DEEPEST) if _reason(value) is not None else ((), reason)
    param = ".".join(where) or None
    message = f"{param} is no JSON ({reason}): {_REMEDY}" if param else f"it cannot be sent ({reason}): correct it"
    body = {"error": {"type": "unsendable", "message": message, "param": param}}
    return Unsendable(f"{beginning}: {message}", HTTPStatus.UNPROCESSABLE_ENTITY, body)


def _fault(value: object, depth: int) -> tuple[tuple[str, ...], str]:
    """The path to the smallest part at fault, and the reason."""
    parts: dict[str, Any] = {}
    if isinstance(value, dict):
        parts = {str(name): part for name, part in value.items()}
    elif isinstance(value, list | tuple):
        parts = {str(number): part for number, part in enumerate(value)}
    for name, part in parts.items() if depth else ():
        if _reason(part) is not None:
            where, reason = _fault(part, depth - 1)
            return (name, *where), reason
    return (), _reason(value) or ""


def _reason(value: object) -> str | None:
    """The reason why a value is no JSON; None if it is."""
    try:
        # As httpx does it.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        return str(error)
    return None
