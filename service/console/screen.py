"""The routes of a screen: each is handed a visit of somebody who may be there, and forms of the console alone."""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter
from starlette.datastructures import FormData
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

    def shows(self, path: str, show: Show) -> None:
        """Answer `GET path` by `show`."""

        async def answer(request: Request) -> Response:
            visit = self.pages.visit(request)
            if visit is None:
                return self.pages.to_sign_in(request)
            try:
                return await show(visit)
            except ApiError as error:
                return await self.pages.refused(visit, self.name, error)

        self.router.add_api_route(path, answer, methods=["GET"])

    def acts(self, path: str, act: Act) -> None:
        """Answer `POST path` by `act`, which is handed the fields of the form. A form without the token is refused."""

        async def answer(request: Request) -> Response:
            visit = self.pages.visit(request)
            if visit is None:
                return self.pages.to_sign_in(request)
            try:
                form = await _form(request)
                self._require_own(visit, str(form.get("form_token", "")))
                fields = {name: str(value) for name, value in form.multi_items() if name != "form_token"}
                return await act(visit, fields)
            except ApiError as error:
                return await self.pages.refused(visit, self.name, error)

        self.router.add_api_route(path, answer, methods=["POST"])

    def takes(self, path: str, take: Take) -> None:
        """Answer `POST path`, a form that ends with a file, by `take`, which is handed the file as it comes."""

        async def respond(request: Request) -> Response:
            visit = self.pages.visit(request)
            if visit is None:
                return self.pages.to_sign_in(request)
            try:
                upload = await uploads.read(request)
                self._require_own(visit, upload.fields.pop("form_token", ""))
                return await take(visit, upload)
            except ApiError as error:
                return await self.pages.refused(visit, self.name, error)

        self.router.add_api_route(path, respond, methods=["POST"])

    def _require_own(self, visit: Visit, token: str) -> None:
        """Raise ApiError unless the token, in a header or else in the form, is that of the visitor's session."""
        if not self._sessions.is_own_form(visit.session, visit.request.headers.get("X-Form-Token") or token):
            raise ApiError(403, "forbidden", "this form is out of date or not the console's: load the page again")


async def _form(request: Request) -> FormData:
    if int(request.headers.get("Content-Length") or _MOST_FORM + 1) > _MOST_FORM:
        raise ApiError(413, "too_large", f"a form has at most {_MOST_FORM:,} bytes and a Content-Length: send less")
    return await request.form()
