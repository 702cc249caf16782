"""Answers errors, each in the form of the protocol that the route speaks (`service.api.error_forms`)."""

import errno
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api import mistakes
from service.api.bodies import not_json
from service.api.error_forms import form_of, headers
from service.api.openapi.document import DocumentedApp
from service.api.responses import protected
from service.errors import InstarError, InsufficientResources, InvalidRequest, StorageFailed

log = logging.getLogger(__name__)

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_DISK_FAILED = (errno.EIO, errno.EROFS, errno.ENODEV, errno.EBADF)
_NO_MEMORY = ("can't start new thread", "can't allocate memory", "not enough memory")


# The page for a request of a person that failed in a way nobody foresaw.
Face = Callable[[Request], Response]


def install(app: FastAPI, faces: Mapping[str, Face]) -> None:
    """Make `app` answer every error in the form of its route.

    `faces` has the paths below which people read pages: there, what nobody foresaw is answered with a page.
    """
    app.add_exception_handler(InstarError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, partial(_unknown, faces))


def error_answer(request: Request, error: InstarError) -> JSONResponse:
    """Return the answer to `error` on the route of `request`."""
    form = form_of(request.method, request.url.path)
    return JSONResponse(form.body(error), form.status(error), headers(error))


async def _known(request: Request, error: Exception) -> JSONResponse:
    error = cast(InstarError, error)
    return error_answer(request, error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    error = cast(RequestValidationError, error)
    problem = error.errors()[0]
    if problem["type"] == "json_invalid":
        return error_answer(request, not_json("the body", problem["ctx"]["error"]))
    body = getattr(request.scope.get("route"), "body_field", None)
    # FastAPI begins each location with body, query or path.
    problems = [{**problem, "loc": problem["loc"][1:]} for problem in error.errors()]
    message, field = mistakes.explain(problems, body.field_info.annotation if body is not None else None)
    return error_answer(request, InvalidRequest(message, field))


async def _http(request: Request, error: Exception) -> JSONResponse:
    error = cast(HTTPException, error)
    methods = cast(DocumentedApp, request.app).methods(request.url.path) if error.status_code == 405 else ()
    instead = f"use {' or '.join(methods)}" if methods else "GET /docs lists the routes"
    failure = InstarError(f"{request.method} {request.url.path[:200]}: {error.detail}; {instead}")
    failure.status = error.status_code
    failure.type = (
        "not_found" if error.status_code == 404 else "method_not_allowed" if error.status_code == 405 else "http"
    )
    response = error_answer(request, failure)
    response.headers.update(error.headers or {})
    if methods:
        # Starlette names the methods of the first route alone; all are wanted (RFC 9110, 15.5.6).
        response.headers["Allow"] = ", ".join(methods)
    return response


def fault() -> InstarError:
    """The service itself is at fault."""
    return InstarError("the service failed on this request: see its log, and report it if it happens again")


def _circumstances(error: Exception) -> InstarError | None:
    """Return the error in terms of the machine if it lacks disk or memory, or None if the service is at fault."""
    if isinstance(error, OSError):
        if error.errno in _DISK_FULL:
            return InsufficientResources("the disk is full: free some room, then try again")
        if error.errno in _DISK_FAILED:
            return StorageFailed(f"the disk cannot be used ({error.strerror}): check it, then try again")
    # Python and torch have no class of their own for the other cases.
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return InsufficientResources("the memory is used up: try again in a while, or give the service more memory")
    return None


async def _unknown(faces: Mapping[str, Face], request: Request, error: Exception) -> Response:
    failure = _circumstances(error)
    if failure is None:
        # The server logs the traceback. The caller learns nothing of the service's insides.
        log.error("%s %s failed: %s", request.method, request.url.path, type(error).__name__)
        failure = fault()
    face = next((face for path, face in faces.items() if request.url.path.startswith(path)), None)
    response = error_answer(request, failure) if face is None else face(request)
    # Starlette sends this answer outside all middleware, which would add the headers.
    response.raw_headers[:] = protected(response.raw_headers)
    return response
