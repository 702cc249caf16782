"""Errors as answers, each in the form of the protocol that the route speaks (`service.api.forms`)."""

import errno
import logging
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from service.api import mistakes
from service.api.contract import Described
from service.api.forms import OPENAI, OURS, TEI, headers
from service.api.middleware.protection import HEADERS
from service.api.routes import embed as tei
from service.errors import InstarError, InsufficientResources, InvalidRequest, StorageFailed

log = logging.getLogger(__name__)

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_DISK_FAILED = (errno.EIO, errno.EROFS, errno.ENODEV, errno.EBADF)
_NO_MEMORY = ("can't start new thread", "can't allocate memory", "not enough memory")


def install(app: FastAPI) -> None:
    """Make `app` answer every error in its route's form."""
    app.add_exception_handler(InstarError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unknown)


def answer(request: Request, error: InstarError) -> JSONResponse:
    """The answer to `error` on the route of `request`."""
    path = request.url.path
    if path.startswith("/v1/"):
        form = OPENAI
    elif path in tei.PATHS and not (path == "/" and request.method != "POST"):
        form = TEI
    else:
        form = OURS
    return JSONResponse(form.body(error), form.status(error), headers(error))


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
    body = getattr(request.scope.get("route"), "body_field", None)
    # FastAPI puts before each place whether it is of the body, the query or the path.
    problems = [{**each, "loc": each["loc"][1:]} for each in error.errors()]
    message, field = mistakes.explain(problems, body.field_info.annotation if body is not None else None)
    return answer(request, InvalidRequest(message, field))


async def _http(request: Request, error: Exception) -> JSONResponse:
    error = cast(HTTPException, error)
    methods = cast(Described, request.app).methods(request.url.path) if error.status_code == 405 else ()
    instead = f"use {' or '.join(methods)}" if methods else "GET /docs lists the routes"
    known = InstarError(f"{request.method} {request.url.path[:200]}: {error.detail}; {instead}")
    known.status = error.status_code
    known.type = (
        "not_found" if error.status_code == 404 else "method_not_allowed" if error.status_code == 405 else "http"
    )
    found = answer(request, known)
    found.headers.update(error.headers or {})
    if methods:
        # Starlette names those of the first route alone (RFC 9110, 15.5.6).
        found.headers["Allow"] = ", ".join(methods)
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
    if known is None:
        # The server logs the traceback; the caller learns nothing of the inside.
        log.error("%s %s failed: %s", request.method, request.url.path, type(error).__name__)
        known = InstarError("the service failed on this request: see its log, and report it if it happens again")
    found = answer(request, known)
    # Starlette answers this outside of every middleware.
    found.raw_headers.extend(HEADERS)
    return found
