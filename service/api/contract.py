"""What the OpenAPI document says of every route: its answers, its errors in the form of its protocol, and the headers.

Nothing here is at work when a request is answered: routes that are called often make their answers themselves, and the
tests hold those against this.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.models import Example

from service.api import forms
from service.api.answers import GENERATION_HEADER, MODEL_HEADER
from service.api.forms import Form
from service.errors import (
    EncoderFailed,
    EncodingFailed,
    Forbidden,
    InstarError,
    InsufficientResources,
    LimitReached,
    NotFound,
    NotReady,
    Overloaded,
    StorageFailed,
    TooLarge,
    Unauthorized,
)

DESCRIPTION = """\
Instar embeds texts, and stores and searches documents. On one request it loads another model, embeds all documents
again beside the running index, and switches model and index in one step: no request fails, and no answer mixes two
models.

- A **document** is one chunk of text with an id, metadata and a collection. A **checkpoint** is an immutable model,
  named `name@` and 12 digits of its content hash. A **generation** is one loaded checkpoint and the index that was
  built with it: the active one answers, retained ones are kept for rollback. A **reload** builds a generation and
  activates it.
- Answers that used a model name it in the headers `X-Instar-Model` and `X-Instar-Generation`.
- The message of an error says what to do. The routes of OpenAI (`/v1`) and of text-embeddings-inference (`/embed`,
  `/embed_all`, `/similarity`, `/tokenize`, `/decode`) answer errors in their form, all others in ours.
- Where the service has keys, send `Authorization: Bearer KEY`; the admin key opens all routes. Where it has none, that
  header is not looked at.
- New fields may be added to answers; clients should leave out what they do not know.
"""
TAGS = [
    {"name": "search", "description": "Find documents: by vector, by keyword, or by both."},
    {"name": "documents", "description": "Write, read, list and delete documents."},
    {"name": "embedding", "description": "Embed texts, for those who keep vectors themselves."},
    {"name": "events", "description": "Learn that the model has changed."},
    {"name": "admin", "description": "Replace the model, go back, save."},
    {"name": "health", "description": "Whether it lives, whether it can answer, what runs, and how it fares."},
]

JSON = "application/json"
SCHEMAS = "#/components/schemas/{model}"
STREAMED = {"type": "string", "format": "binary"}
_FASTAPI_ERROR = "HTTPValidationError"
# Stands for null in examples, as FastAPI leaves out of its document whatever is None.
_NULL = "\0"

Headers = dict[str, dict[str, Any]]
Responses = dict[int | str, dict[str, Any]]


def header(description: str, example: str | int) -> dict[str, Any]:
    """A response header that is always there."""
    kind = "integer" if isinstance(example, int) else "string"
    return {"description": description, "required": True, "schema": {"type": kind}, "example": example}


NAMED: Headers = {
    MODEL_HEADER: header("id of the checkpoint that answered", "all-MiniLM-L6-v2@386118f074db"),
    GENERATION_HEADER: header("number of the generation that answered", 1),
}
TIMED: Headers = {
    "Server-Timing": header(
        "milliseconds that each step took, waiting included (W3C, Server Timing)",
        "encode;dur=4.10, search;dur=0.62, fetch;dur=0.35",
    )
}
_FAILED: Headers = {
    "Retry-After": header("seconds after which to try again", 1),
    "WWW-Authenticate": header("how to send the key (RFC 6750)", "Bearer"),
}

# Examples of what can go wrong on many routes.
_LIMIT = LimitReached("the key rag-app has used up what it may ask: wait 12 s, or ask for a higher limit", 12)
KEYED = (
    Unauthorized(
        "send the header 'Authorization: Bearer KEY' with a key that has the scope search: `python -m service key"
        " create` makes one"
    ),
    Forbidden("the key rag-app has not the scope search, only embed: use another"),
    _LIMIT,
)
FAULT = InstarError("the service failed on this request: see its log, and report it if it happens again")
STARTING = NotReady("the service is starting (loading all-MiniLM-L6-v2@386118f074db): wait until /ready answers 200")
WORKING = (
    FAULT,
    STARTING,
    EncoderFailed("the encoder fails: try again in a while; if it goes on, restart the service"),
    InsufficientResources("the disk of the corpus is full: free some room, then try again"),
    StorageFailed("the corpus cannot be used (disk I/O error): check the disk, then try again"),
)
BUSY = (Overloaded("what waits to be embedded takes some 7 s: try again then, or send fewer at a time", 7), _LIMIT)
STREAMING = Overloaded("256 streams are open: close some, or raise INSTAR_LIMITS__STREAMS", 30)
NOT_FINITE = EncodingFailed(
    "all-MiniLM-L6-v2@386118f074db gave a vector that is not finite: leave the text out, or reload another"
)
UNKNOWN_MODEL = NotFound(
    "no generation of another answers here: leave model out, or use one of active, all-MiniLM-L6-v2@386118f074db;"
    " INSTAR_ALIASES adds names that a client insists on",
    "model",
)
LONG_BODY = TooLarge("the body is larger than 33554432 bytes: send less at a time, or raise INSTAR_LIMITS__BODY")


def requests(by_name: Mapping[str, object]) -> dict[str, Example]:
    """Examples of a request body."""
    return {name: {"summary": name, "value": _with_nulls(example)} for name, example in by_name.items()}


def success(
    description: str, example: object, schema: object = None, headers: Headers | None = None, kind: str = JSON
) -> dict[str, Any]:
    """The answer of a route that did what was asked, of the media type `kind`.

    `schema` is its type, where the type that the route returns does not say it: of a stream, str or bytes.
    """
    content: dict[str, Any] = {} if example is None else {"example": _with_nulls(example)}
    said: dict[str, Any] = {"description": description, "headers": dict(headers or {}), "content": {kind: content}}
    if schema is str or schema is bytes:
        content["schema"] = STREAMED if schema is bytes else {"type": "string"}
    elif schema is not None:
        said["model"] = schema
    return said


def failing(form: Form, *errors: InstarError) -> Responses:
    """The answers to `errors`, which are examples of all that can go wrong, by status."""
    by_status: dict[int, list[InstarError]] = {}
    for error in errors:
        by_status.setdefault(form.status(error), []).append(error)
    return {status: _failure(form, alike) for status, alike in by_status.items()}


def _failure(form: Form, errors: list[InstarError]) -> dict[str, Any]:
    reasons = dict.fromkeys((type(error).__doc__ or "").partition("\n")[0] for error in errors)
    examples = {
        type(error).__name__: {"summary": error.type, "value": _with_nulls(form.body(error))} for error in errors
    }
    return {
        "model": form.schema,
        "description": " ".join(reasons),
        "headers": {name: _FAILED[name] for error in errors for name in forms.headers(error)},
        "content": {JSON: {"examples": examples}},
    }


class Described(FastAPI):
    """An application whose OpenAPI document says what it does, where FastAPI's own would say something else."""

    def openapi(self) -> dict[str, Any]:
        """The document, made at the first call."""
        if self.openapi_schema is None:
            document = _replaced(super().openapi(), _NULL, None)
            schemas = document["components"]["schemas"]
            for operation in _operations(document):
                _name_schemas(operation.get("requestBody", {}), schemas)
                # FastAPI takes for granted that it answers what is wrong with a parameter in its own form.
                if _FASTAPI_ERROR in str(operation["responses"].get("422")):
                    del operation["responses"]["422"]
                operation["responses"] = dict(sorted(operation["responses"].items()))
            for name in (_FASTAPI_ERROR, "ValidationError"):
                schemas.pop(name, None)
            self.openapi_schema = document
        return self.openapi_schema

    def methods(self, path: str) -> list[str]:
        """What a request to that path may do, of all routes that lead there."""
        return sorted(
            {
                method.upper()
                for template, operations in self.openapi()["paths"].items()
                if re.fullmatch(_pattern(template), path)
                for method in operations
            }
        )


def _pattern(template: str) -> str:
    """Paths of a template. Only ids of documents have slashes."""
    part = ".+" if template.startswith("/documents/") else "[^/]+"
    return re.sub(r"\\\{\w+\\\}", part, re.escape(template))


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in (*document["paths"].values(), *document.get("webhooks", {}).values()):
        yield from path.values()


def _name_schemas(body: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Move whole schemas of models in a request body to `schemas`, where those that FastAPI has made are."""
    for content in body.get("content", {}).values():
        schema = content["schema"]
        if "$defs" in schema:
            schemas.update(schema.pop("$defs"))
            schemas[schema["title"]] = schema
            content["schema"] = {"$ref": SCHEMAS.format(model=schema["title"])}


def _with_nulls(example: object) -> Any:
    return _replaced(example, None, _NULL)


def _replaced(value: Any, old: object, new: object) -> Any:
    """`value` with `new` for each `old` in it."""
    if isinstance(value, dict):
        return {key: _replaced(inner, old, new) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, old, new) for inner in value]
    return new if value == old else value
