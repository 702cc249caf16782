"""The OpenAPI document on one route: its answers, its errors in the form of its protocol, and its headers.

None of this runs while a request is answered. Routes that are called often make their answers by hand, and the tests
compare these with the document.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi.openapi.models import Example

from service.api import error_forms
from service.api.error_forms import ErrorForm
from service.api.openapi import nulls
from service.api.output_dtypes import DTYPE_HEADER, RANGE_HEADER
from service.api.responses import GENERATION_HEADER, MODEL_HEADER, RERANKER_HEADER
from service.errors import InstarError

JSON = "application/json"
SCHEMAS = "#/components/schemas/{model}"
STREAMED = {"type": "string", "format": "binary"}

Headers = dict[str, dict[str, Any]]
Responses = dict[int | str, dict[str, Any]]


@dataclass(frozen=True)
class Operation:
    """The words of a route. Its longer description is the docstring of its handler.

    `bodies` are examples of JSON bodies, by the names that the document shows. `body` describes a body of another kind,
    as OpenAPI does. `options` are FastAPI's own, such as `status_code`.
    """

    summary: str
    responses: Responses
    bodies: Mapping[str, object] | None = None
    body: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def extra(self) -> dict[str, Any] | None:
        """The part of the operation that FastAPI copies."""
        if self.body is not None:
            return {"requestBody": dict(self.body)}
        if self.bodies is not None:
            return {"requestBody": {"content": {JSON: {"examples": requests(self.bodies)}}}}
        return None


def header(description: str, example: str | int, *, always: bool = True) -> dict[str, Any]:
    """Return a response header, which is there `always` or sometimes."""
    kind = "integer" if isinstance(example, int) else "string"
    return {"description": description, "required": always, "schema": {"type": kind}, "example": example}


NAMED: Headers = {
    MODEL_HEADER: header("id of the checkpoint that answered", "all-MiniLM-L6-v2@386118f074db"),
    GENERATION_HEADER: header("number of the generation that answered", 1),
}
RERANKED: Headers = {RERANKER_HEADER: header("id of the reranker that scored", "support-reranker@1f2e3d4c5b6a")}
MAYBE_RERANKED: Headers = {
    RERANKER_HEADER: header("id of the reranker, if one ordered", "support-reranker@1f2e3d4c5b6a", always=False)
}
TIMED: Headers = {
    "Server-Timing": header(
        "milliseconds that each step took, waiting included (W3C, Server Timing)",
        "encode;dur=4.10, search;dur=0.62, fetch;dur=0.35",
    )
}
QUANTISED: Headers = {
    DTYPE_HEADER: header("`output_dtype` of the vectors; only if it is not float", "int8", always=False),
    RANGE_HEADER: header(
        "int8 and uint8: the numbers from minus this to this are told apart; fixed for a document fingerprint",
        "0.21496041119098663",
        always=False,
    ),
}
_FAILED: Headers = {
    "Retry-After": header("seconds after which to try again", 1),
    "WWW-Authenticate": header("the way to send the key (RFC 6750)", "Bearer"),
}


def requests(by_name: Mapping[str, object]) -> dict[str, Example]:
    """Return examples of requests, by the names that the document shows."""
    return {name: {"summary": name, "value": nulls.hide(example)} for name, example in by_name.items()}


def success(
    description: str, example: object, schema: object = None, headers: Headers | None = None, kind: str = JSON
) -> dict[str, Any]:
    """Return the answer of a route that has done its work, of the media type `kind`.

    `schema` is its type, if the return type of the handler does not say it. For a stream it is str or bytes.
    """
    content: dict[str, Any] = {} if example is None else {"example": nulls.hide(example)}
    answer: dict[str, Any] = {"description": description, "headers": dict(headers or {}), "content": {kind: content}}
    if schema is str or schema is bytes:
        content["schema"] = STREAMED if schema is bytes else {"type": "string"}
    elif schema is not None:
        answer["model"] = schema
    return answer


def failing(form: ErrorForm, *errors: InstarError) -> Responses:
    """Return the answers to `errors`, by status. They are examples of all errors that a route has."""
    by_status: dict[int, list[InstarError]] = {}
    for error in errors:
        by_status.setdefault(form.status(error), []).append(error)
    return {status: _failure(form, alike) for status, alike in by_status.items()}


def _failure(form: ErrorForm, errors: list[InstarError]) -> dict[str, Any]:
    reasons = dict.fromkeys((type(error).__doc__ or "").partition("\n")[0] for error in errors)
    examples = {
        type(error).__name__: {"summary": error.type, "value": nulls.hide(form.body(error))} for error in errors
    }
    return {
        "description": " ".join(reasons),
        "headers": {name: _FAILED[name] for error in errors for name in error_forms.headers(error)},
        # By its name, because FastAPI would make a validator of it for each answer of each route, which took most of
        # the time of a start.
        "content": {JSON: {"schema": {"$ref": SCHEMAS.format(model=form.schema.__name__)}, "examples": examples}},
    }
