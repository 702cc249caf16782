"""Conditions on metadata in the address of a search: a key and a JSON value with `=` between them, as `year=2026`.

A key with `=` in it is written in JSON after another `=`, as `="a=b"=2026`. No other condition has that form: after
`=` alone, which is the empty key, a value in JSON ends with its quotation mark.
"""

import json
from collections.abc import Sequence
from typing import Any

_DECODER = json.JSONDecoder()


def condition_of(key: str, value: Any) -> str:
    """Return the condition that the metadata have this value of the key."""
    name = f"={json.dumps(key, ensure_ascii=False)}" if "=" in key else key
    return f"{name}={json.dumps(value, ensure_ascii=False)}"


def read(condition: str) -> tuple[str, Any]:
    """Return the key and the value of a condition. What is no JSON is a text."""
    if condition.startswith('="'):
        try:
            key, end = _DECODER.raw_decode(condition, 1)
            # Halves of characters have no UTF-8.
            key.encode()
        except (ValueError, RecursionError):
            pass
        else:
            if condition[end : end + 1] == "=":
                return key, _value(condition[end + 1 :])
    key, _, value = condition.partition("=")
    return key, _value(value)


def filter_of(conditions: Sequence[str]) -> dict[str, Any]:
    """Return the filter of the API that all the conditions pass; {} without any."""
    pairs = [read(condition) for condition in conditions]
    if len({key for key, _ in pairs}) == len(pairs):
        return dict(pairs)
    # Of a list in the metadata, several values can be wanted.
    return {"and": [{key: value} for key, value in pairs]}


def _value(text: str) -> Any:
    """Return the JSON value; the text itself if it is none that can be sent."""
    try:
        value = json.loads(text)
        # Python reads NaN, numbers beyond all bounds and halves of characters, which JSON does not have.
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return text
    return value
