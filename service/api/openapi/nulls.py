"""Keeps null in examples, because FastAPI leaves None out of its document."""

from typing import Any

# Stands for null until the document is made.
_NULL = "\0"


def hide(example: Any) -> Any:
    """Return `example` with a placeholder for each null."""
    return _replaced(example, None, _NULL)


def show(document: Any) -> Any:
    """Return `document` with null for each placeholder."""
    return _replaced(document, _NULL, None)


def _replaced(value: Any, old: object, new: object) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, old, new) for inner in value]
    return new if value == old else value
