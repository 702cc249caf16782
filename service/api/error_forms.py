"""The forms of errors: Instar's, OpenAI's, that of Cohere and Jina, and that of text-embeddings-inference."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from service.errors import (
    EmptyInput,
    EncodingFailed,
    Forbidden,
    InstarError,
    InvalidRequest,
    LimitReached,
    NotFound,
    NotReady,
    Overloaded,
    TooLarge,
    Unauthorized,
)

_Message = Annotated[str, Field(description="what is wrong, and what to do next")]
_Param = Annotated[str | None, Field(description="the field of the request that is at fault; null: no single one is")]


class Fault(TypedDict):
    """The failure of a request."""

    type: Annotated[
        str,
        Field(
            description="kind of the error, for programs: invalid_request, unauthorized, forbidden, limit_reached,"
            " not_found, conflict, too_large, checkpoint_refused, encoding_failed, encoder_failed, overloaded,"
            " not_ready, insufficient_resources, storage_failed or internal"
        ),
    ]
    message: _Message
    param: _Param
    job: NotRequired[
        Annotated[str, Field(description="id of the running reload, because of which a new one is refused")]
    ]
    stored: NotRequired[
        Annotated[int, Field(description="documents of a stream that are stored although the request failed")]
    ]


class ErrorAnswer(TypedDict):
    """An error."""

    error: Annotated[Fault, Field(description="what went wrong")]


class OpenAIFault(TypedDict):
    """The failure of a request, in OpenAI's words."""

    message: _Message
    type: Annotated[str, Field(description="invalid_request_error, rate_limit_error or server_error")]
    param: _Param
    code: Annotated[
        str | None,
        Field(
            description="model_not_found, invalid_api_key, insufficient_permissions, rate_limit_exceeded, or null for"
            " all else"
        ),
    ]


class OpenAIErrorAnswer(TypedDict):
    """An error in the form of OpenAI."""

    error: Annotated[OpenAIFault, Field(description="what went wrong")]


class TEIErrorAnswer(TypedDict):
    """An error in the form of text-embeddings-inference."""

    error: _Message
    error_type: Annotated[
        str, Field(description="Empty, Validation, Backend, Overloaded, Unhealthy or Unauthorized, for programs")
    ]


class CohereErrorAnswer(TypedDict):
    """An error in the forms of Cohere and Jina at once."""

    message: _Message
    detail: Annotated[str, Field(description="the message, where clients of Jina look for it")]


_OPENAI_TYPES: dict[type[InstarError], tuple[str, str | None]] = {
    EmptyInput: ("invalid_request_error", None),
    InvalidRequest: ("invalid_request_error", None),
    NotFound: ("invalid_request_error", "model_not_found"),
    TooLarge: ("invalid_request_error", None),
    Unauthorized: ("invalid_request_error", "invalid_api_key"),
    Forbidden: ("invalid_request_error", "insufficient_permissions"),
    LimitReached: ("rate_limit_error", "rate_limit_exceeded"),
    Overloaded: ("rate_limit_error", "rate_limit_exceeded"),
}
_TEI_TYPES: dict[type[InstarError], str] = {
    EmptyInput: "Empty",
    InvalidRequest: "Validation",
    NotFound: "Validation",
    TooLarge: "Validation",
    EncodingFailed: "Backend",
    Overloaded: "Overloaded",
    NotReady: "Unhealthy",
    Unauthorized: "Unauthorized",
    Forbidden: "Unauthorized",
    LimitReached: "Overloaded",
}


@dataclass(frozen=True)
class ErrorForm:
    """A protocol's form of errors: the schema and the body of the answer.

    `statuses` has the statuses that differ from the error's own.
    """

    schema: type[Any]
    body: Callable[[InstarError], dict[str, Any]]
    statuses: Mapping[type[InstarError], int]

    def status(self, error: InstarError) -> int:
        """Return the status of the answer to `error`."""
        return self.statuses.get(type(error), error.status)


def headers(error: InstarError) -> dict[str, str]:
    """Return the headers of the answer to `error`, which are the same in every form."""
    named = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if isinstance(error, Unauthorized):
        named["WWW-Authenticate"] = "Bearer"
    return named


def _instar(error: InstarError) -> dict[str, Any]:
    return {"error": {"type": error.type, "message": error.message, "param": error.param, **error.details}}


def _openai(error: InstarError) -> dict[str, Any]:
    kind, code = _OPENAI_TYPES.get(type(error), ("server_error", None))
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": code}}


def _tei(error: InstarError) -> dict[str, Any]:
    return {"error": error.message, "error_type": _TEI_TYPES.get(type(error), "Backend")}


def _cohere(error: InstarError) -> dict[str, Any]:
    return {"message": error.message, "detail": error.message}


INSTAR = ErrorForm(ErrorAnswer, _instar, {})
# OpenAI answers an invalid request with 400.
OPENAI = ErrorForm(OpenAIErrorAnswer, _openai, {InvalidRequest: 400, EmptyInput: 400})
TEI = ErrorForm(TEIErrorAnswer, _tei, {EmptyInput: 400})
COHERE = ErrorForm(CohereErrorAnswer, _cohere, {})
FORMS = (INSTAR, OPENAI, TEI, COHERE)
_TEI_PATHS = frozenset(("/embed", "/embed_all", "/similarity", "/tokenize", "/decode", "/rerank"))
_COHERE_PATHS = frozenset(("/v1/rerank", "/v2/rerank"))


def form_of(method: str, path: str) -> ErrorForm:
    """Return the form of the errors of a request."""
    if path in _COHERE_PATHS:
        return COHERE
    if path.startswith("/v1/"):
        return OPENAI
    # Clients of text-embeddings-inference embed by POST /, where browsers GET a greeting.
    if path in _TEI_PATHS or (path == "/" and method == "POST"):
        return TEI
    return INSTAR
