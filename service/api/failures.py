"""Errors as answers, each in the form of the protocol that the route speaks.

Ours is `{"error": {"type", "message", "param"}}`; `/v1` answers as OpenAI does, and the routes of
text-embeddings-inference as that does.
"""

import errno
import logging
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from service.api import tei
from service.errors import (
    EmptyInput,
    EncodingFailed,
    InstarError,
    InsufficientResources,
    InvalidRequest,
    NotFound,
    NotReady,
    Overloaded,
    StorageFailed,
    TooLarge,
    Unauthorized,
)

log = logging.getLogger(__name__)

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_DISK_FAILED = (errno.EIO, errno.EROFS, errno.ENODEV, errno.EBADF)
_NO_MEMORY = ("can't start new thread", "can't allocate memory", "not enough memory")

_TEI_TYPES: dict[type[InstarError], str] = {
    EmptyInput: "Empty",
    InvalidRequest: "Validation",
    NotFound: "Validation",
    TooLarge: "Validation",
    EncodingFailed: "Backend",
    Overloaded: "Overloaded",
    NotReady: "Unhealthy",
    Unauthorized: "Unauthorized",
}
_OPENAI_TYPES: dict[type[InstarError], tuple[str, str | None]] = {
    EmptyInput: ("invalid_request_error", None),
    InvalidRequest: ("invalid_request_error", None),
    NotFound: ("invalid_request_error", "model_not_found"),
    TooLarge: ("invalid_request_error", None),
    Unauthorized: ("invalid_request_error", "invalid_api_key"),
    Overloaded: ("rate_limit_error", "rate_limit_exceeded"),
}


def install(app: FastAPI) -> None:
    """Make `app` answer every error in its route's form."""
    app.add_exception_handler(InstarError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unknown)


def answer(request: Request, error: InstarError) -> JSONResponse:
    """The answer to `error` on the route of `request`."""
    path = request.url.path
    status = error.status
    body: dict[str, Any]
    if path.startswith("/v1/"):
        kind, code = _OPENAI_TYPES.get(type(error), ("server_error", None))
        # OpenAI answers what is wrong with a request with 400.
        status = 400 if isinstance(error, InvalidRequest) else status
        body = {"error": {"message": error.message, "type": kind, "param": error.param, "code": code}}
    elif path in tei.PATHS and not (path == "/" and request.method != "POST"):
        status = 400 if isinstance(error, EmptyInput) else status
        body = {"error": error.message, "error_type": _TEI_TYPES.get(type(error), "Backend")}
    else:
        body = {"error": {"type": error.type, "message": error.message, "param": error.param, **error.details}}
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status, headers)


async def _known(request: Request, error: Exception) -> JSONResponse:
    error = cast(InstarError, error)
    return answer(request, error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    error = cast(RequestValidationError, error)
    problem = error.errors()[0]
    if problem["type"] == "json_invalid":
        return answer(
            request, InvalidRequest(f"the body is not valid JSON ({problem['ctx']['error']}): send UTF-8 encoded JSON")
        )
    field = ".".join(str(part) for part in problem["loc"] if part not in ("body", "query", "path"))
    place = field or "the body"
    hint = " (send it with Content-Type: application/json)" if problem["type"].endswith("attributes_type") else ""
    return answer(request, InvalidRequest(f"{place}: {problem['msg']}{hint}", field or None))


async def _http(request: Request, error: Exception) -> JSONResponse:
    error = cast(HTTPException, error)
    known = InstarError(f"{request.method} {request.url.path[:200]}: {error.detail}; GET /docs lists the routes")
    known.status = error.status_code
    known.type = (
        "not_found" if error.status_code == 404 else "method_not_allowed" if error.status_code == 405 else "http"
    )
    found = answer(request, known)
    found.headers.update(error.headers or {})
    return found


def _circumstances(error: Exception) -> InstarError | None:
    """What the machine lacks, if that is the error: then this program is not at fault."""
    if isinstance(error, OSError):
        if error.errno in _DISK_FULL:
            return InsufficientResources("the disk is full: free some room, then try again")
        if error.errno in _DISK_FAILED:
            return StorageFailed(f"the disk cannot be used ({error.strerror}): check it, then try again")
    # Python and torch have no class of their own for these.
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return InsufficientResources("the memory is used up: try again in a while, or give the service more")
    return None


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    known = _circumstances(error)
    if known is not None:
        return answer(request, known)
    # The server logs the traceback; the caller learns nothing of the inside.
    log.error("%s %s failed: %s", request.method, request.url.path, type(error).__name__)
    return answer(
        request, InstarError("the service failed on this request: see its log, and report it if it happens again")
    )
