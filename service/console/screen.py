"""The routes of a screen: each is handed a visit of somebody who may be there, and forms of the console alone."""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.console import uploads
from service.console.pages import Pages, Visit
from service.console.public_api import ApiError
from service.console.session import Sessions
from service.console.uploads import Upload

# Largest form that is taken, in bytes; files go to the API in streams of their own.
_MOST_FORM = 2_000_000
Show = Callable[[Visit], Awaitable[Response]]
Act = Callable[[Visit, Mapping[str, str]], Awaitable[Response]]
Take = Callable[[Visit, Upload], Awaitable[Response]]


class Screen:
    """Collects the routes of one screen, below /console."""

    def __init__(self, name: str, pages: Pages, sessions: Sessions) -> None:
        self.name = name
        self.pages = pages
        self.router = APIRouter(include_in_schema=False)
        self._sessions = sessions
        pages.has(name)

    def shows(self, path: str, show: Show) -> None:
        """Answer `GET path` by `show`."""

        async def respond(request: Request) -> Response:
            return await self._answer(request, show)

        self.router.add_api_route(path, respond, methods=["GET"])

    def acts(self, path: str, act: Act) -> None:
        """Answer `POST path` by `act`, which is handed the fields of the form. A form without the token is refused."""

        async def checked(visit: Visit) -> Response:
            form = await read_form(visit.request)
            self._require_own(visit, str(form.get("form_token", "")))
            fields = {name: str(value) for name, value in form.multi_items() if name != "form_token"}
            return await act(visit, fields)

        async def respond(request: Request) -> Response:
            return await self._answer(request, checked)

        self.router.add_api_route(path, respond, methods=["POST"])

    async def _answer(self, request: Request, show: Show) -> Response:
        """Answer by `show`, with a page for whatever the API refuses."""
        visit = self.pages.visit(request)
        if visit is None:
            return self.pages.to_sign_in(request)
        try:
            return await show(visit)
        except ApiError as error:
            return await self.pages.refused(visit, self.name, error)

    def takes(self, path: str, take: Take) -> None:
        """Answer `POST path`, a form that ends with a file, by `take`, which is handed the file as it comes."""

        async def taken(visit: Visit) -> Response:
            upload = await uploads.read(visit.request)
            self._require_own(visit, upload.fields.pop("form_token", ""))
            return await take(visit, upload)

        async def respond(request: Request) -> Response:
            return await self._answer(request, taken)

        self.router.add_api_route(path, respond, methods=["POST"])

    def _require_own(self, visit: Visit, token: str) -> None:
        """Raise ApiError unless the token, in a header or else in the form, is that of the visitor's session."""
        if not self._sessions.is_own_form(visit.session, visit.request.headers.get("X-Form-Token") or token):
            raise ApiError(403, "forbidden", "this form is out of date or not the console's: load the page again")


async def read_form(request: Request, most: int = _MOST_FORM) -> FormData:
    """Return a form of at most `most` bytes. Raises ApiError."""
    if int(request.headers.get("Content-Length") or most + 1) > most:
        raise ApiError(413, "too_large", f"a form has at most {most:,} bytes and a Content-Length: send less")
    try:
        return await request.form()
    except HTTPException as error:
        message = f"this form cannot be read ({error.detail}): load the page again"
        raise ApiError(error.status_code, "invalid_request", message) from error
