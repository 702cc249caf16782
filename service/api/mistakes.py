"""Explains invalid request bodies: what is wrong, and what to write instead."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel

# Names that other systems use, and the fields that they stand for here.
_ELSEWHERE = {
    "comment": ("note",),
    "content": ("text",),
    "doc_id": ("document",),
    "docid": ("document",),
    "docs": ("documents",),
    "document_id": ("document",),
    "embedding": ("query_vector",),
    "event": ("action",),
    "filters": ("filter",),
    "input": ("inputs",),
    "inputs": ("input", "documents"),
    "limit": ("k",),
    "n_results": ("k",),
    "namespace": ("collection",),
    "page_content": ("text",),
    "q": ("query",),
    "question": ("query",),
    "queries": ("query",),
    "query_id": ("search",),
    "search_id": ("search",),
    "score_threshold": ("min_score",),
    "size": ("k",),
    "text": ("query", "inputs", "input"),
    "texts": ("inputs", "input"),
    "threshold": ("min_score",),
    "timestamp": ("at",),
    "top_k": ("k",),
    "topk": ("k",),
    "vector": ("query_vector",),
    "where": ("filter",),
}
_LISTED = 12

Problem = Mapping[str, Any]


def explain(problems: Sequence[Problem], model: type[BaseModel] | None) -> tuple[str, str | None]:
    """Return a sentence about the first of pydantic's `problems` with `model`, and the field at fault.

    An unknown field beside a missing one is taken for a misspelling of it.
    """
    first = problems[0]
    path = tuple(first["loc"])
    field = ".".join(map(str, path)) or None
    if first["type"] not in ("missing", "extra_forbidden"):
        hint = " (send it with Content-Type: application/json)" if first["type"].endswith("attributes_type") else ""
        return f"{field or 'the body'}: {first['msg']}{hint}", field
    if not path:
        return f"the body is missing: send a JSON object{_with(model)}", None
    beside = [problem for problem in problems if tuple(problem["loc"][:-1]) == tuple(first["loc"][:-1])]
    missing = [str(problem["loc"][-1]) for problem in beside if problem["type"] == "missing"]
    unknown = [str(problem["loc"][-1]) for problem in beside if problem["type"] == "extra_forbidden"]
    # A model that allows extra fields does not report them.
    if not unknown and isinstance(first.get("input"), dict):
        unknown = [name for name in first["input"] if any(field in missing for field in _ELSEWHERE.get(name, ()))]
    where = "".join(f"{part}." for part in path[:-1])
    sentences = [f"`{where}{name}` is missing" for name in missing]
    fields = _fields(model, path[:-1]) or missing
    sentences += [f"there is no `{where}{name[:80]}`: {_instead(name, fields)}" for name in unknown]
    return "; ".join(sentences) + ("" if unknown else ": add it"), field


def nearest(name: str, fields: Sequence[str]) -> str | None:
    """Return the field that `name` probably stands for, or None if no name is similar."""
    elsewhere = next((field for field in _ELSEWHERE.get(name.lower(), ()) if field in fields), None)
    return elsewhere or next(iter(difflib.get_close_matches(name, fields, 1)), None)


def _instead(name: str, fields: Sequence[str]) -> str:
    meant = nearest(name, fields)
    if meant is not None:
        return f"use `{meant}`"
    return f"there are {', '.join(fields[:_LISTED])}{', …' if len(fields) > _LISTED else ''}"


def _with(model: type[BaseModel] | None) -> str:
    fields = _fields(model, ())
    required = [f"`{name}`" for name in fields if model and model.model_fields[name].is_required()]
    if required:
        return f" with {' and '.join(required)}"
    return f" with some of {', '.join(fields[:_LISTED])}" if fields else ""


def _fields(model: Any, path: Sequence[Any]) -> list[str]:
    """Return the fields of the model at `path` within `model`; none if there is no such model."""
    for part in path:
        field = getattr(model, "model_fields", {}).get(part) if isinstance(part, str) else None
        if field is not None:
            model = _model_in(field.annotation)
    return list(getattr(model, "model_fields", {}))


def _model_in(annotation: Any) -> Any:
    """Return the model that an annotation names, also within lists and unions, or None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part)) is not None), None)
