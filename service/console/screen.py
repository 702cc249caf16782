"""The routes of a screen: each is handed a visit of somebody who may be there, and forms of the console alone."""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from service.console.pages import Pages, Visit
from service.console.public_api import ApiError
from service.console.session import Sessions

# Largest form that is taken, in bytes; files go to the API in streams of their own.
_MOST_FORM = 2_000_000
Show = Callable[[Visit], Awaitable[Response]]
Act = Callable[[Visit, Mapping[str, str]], Awaitable[Response]]


class Screen:
    """Collects the routes of one screen, below /console."""

    def __init__(self, name: str, pages: Pages, sessions: Sessions) -> None:
        self.name = name
        self.pages = pages
        self.router = APIRouter(include_in_schema=False)
        self._sessions = sessions

    def shows(self, path: str, show: Show) -> None:
        """Answer `GET path` by `show`."""

        async def respond(request: Request) -> Response:
            visit = self.pages.visit(request)
            if visit is None:
                return self.pages.to_sign_in(request)
            try:
                return await show(visit)
            except ApiError as error:
                return await self.pages.refused(visit, self.name, error)

        self.router.add_api_route(path, respond, methods=["GET"])

    def acts(self, path: str, act: Act) -> None:
        """Answer `POST path` by `act`, which is handed the fields of the form. A form without the token is refused."""

        async def respond(request: Request) -> Response:
            visit = self.pages.visit(request)
            if visit is None:
                return self.pages.to_sign_in(request)
            try:
                form = await _form(request)
                token = request.headers.get("X-Form-Token") or str(form.get("form_token", ""))
                if not self._sessions.is_own_form(visit.session, token):
                    raise ApiError(
                        403, "forbidden", "this form is out of date or not the console's: load the page again"
                    )
                fields = {name: str(value) for name, value in form.multi_items() if name != "form_token"}
                return await act(visit, fields)
            except ApiError as error:
                return await self.pages.refused(visit, self.name, error)

        self.router.add_api_route(path, respond, methods=["POST"])


async def _form(request: Request) -> FormData:
    if int(request.headers.get("Content-Length") or _MOST_FORM + 1) > _MOST_FORM:
        raise ApiError(413, "too_large", f"a form has at most {_MOST_FORM:,} bytes and a Content-Length: send less")
    return await request.form()
