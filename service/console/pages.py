"""Pages: templates with what every page shows, and a face for each way in which the API can refuse."""

import json
import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from service.access.keyring import SCOPES, Scope
from service.console.assets import Assets
from service.console.public_api import ApiError, Caller, PublicApi
from service.console.session import Session, Sessions

_TEMPLATES = Path(__file__).parent / "templates"
# Scripts and styles are files of the service. Nothing of a document can run, and no other site is asked for anything.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    # With `no-referrer`, forms would come with the origin "null", which tells nothing of where they are from.
    "Referrer-Policy": "same-origin",
}
# The screens in the order of their list, each with the scopes of which one opens it. Without routes it is not listed.
SCREENS: Mapping[str, frozenset[Scope]] = {
    "search": frozenset({"search", "judge"}),
    "judge": frozenset({"judge"}),
    "quality": frozenset({"admin"}),
    "models": frozenset({"admin"}),
    "corpus": frozenset({"search"}),
    "map": frozenset({"admin"}),
    "system": frozenset(SCOPES),
}


class Visit:
    """One request to the console by a person who may be there: the person, and the API as this person has it."""

    def __init__(self, request: Request, session: Session, api: Caller) -> None:
        self.request = request
        self.session = session
        self.api = api

    @property
    def origin(self) -> str:
        """The address of the service as the person reaches it, for commands to copy."""
        return str(self.request.base_url).rstrip("/")


class Pages:
    """Renders the templates. `root` is the path before /console, as a proxy has it; empty without one."""

    def __init__(self, api: PublicApi, sessions: Sessions, assets: Assets, root: str) -> None:
        self._api = api
        self._sessions = sessions
        self._root = root
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(asset=assets.address, root=root)
        self._there: set[str] = set()
        self._templates.filters.update(time=_time, number=_number, json=_json)

    def has(self, screen: str) -> None:
        """Note that there is a screen of that name, so that the list of screens leads to it."""
        self._there.add(screen)

    def visit(self, request: Request) -> Visit | None:
        """Return the visit of a request; None if the person has to sign in."""
        session = self._sessions.of(request)
        if session is None:
            return None
        address = ("", 0) if request.client is None else (request.client.host, request.client.port)
        return Visit(request, session, self._api.called_by(address, session.key))

    async def render(self, visit: Visit, name: str, status: int = 200, **values: Any) -> Response:
        """Render the template of a screen with the frame around it."""
        screens = [name for name, scopes in SCREENS.items() if name in self._there and scopes & visit.session.scopes]
        frame = {**await self._frame(visit), "screens": screens}
        return self._answer(name, status, session=visit.session, request=visit.request, **frame, **values)

    def part(self, visit: Visit, name: str, status: int = 200, **values: Any) -> Response:
        """Render a template that takes a place in a screen, without the frame."""
        return self._answer(name, status, session=visit.session, request=visit.request, **values)

    async def refused(self, visit: Visit, screen: str, error: ApiError) -> Response:
        """Render what to do about an error of the API, in the frame of the screen."""
        if error.status == 401:
            return self.to_sign_in(visit.request)
        again = self._address(visit.request)
        return await self.render(visit, "refused.html", error.status, screen=screen, error=error, again=again)

    def failed(self, request: Request) -> Response:
        """Render the page of a request that nobody foresaw, which needs nothing of the service."""
        return self._answer("failed.html", 500, request=request)

    def sign_in(self, request: Request, target: str, message: str | None = None, status: int = 200) -> Response:
        """Render the page that asks for a key, and leads to `target` afterwards."""
        return self._answer("sign_in.html", status, request=request, session=None, target=target, message=message)

    def to_sign_in(self, request: Request) -> Response:
        """Lead to the page that asks for a key."""
        # A form has no page of its own to come back to; htmx says on which page it was.
        page = urlsplit(request.headers.get("HX-Current-URL", ""))._replace(scheme="", netloc="").geturl()
        if not page and request.method == "GET":
            page = self._address(request)
        location = f"/console/sign-in?{urlencode({'to': page})}" if page else "/console/sign-in"
        if request.headers.get("HX-Request"):
            return Response(status_code=204, headers=_HEADERS | {"HX-Redirect": f"{self._root}{location}"})
        return self.lead(location)

    def _address(self, request: Request) -> str:
        """Return the address of what was asked for, as the browser has it, without scheme and host."""
        query = request.scope["query_string"].decode("latin-1")
        return f"{self._root}{quote(request.scope['path'])}{'?' if query else ''}{query}"

    def lead(self, page: str, query: str = "") -> Response:
        """Lead to a page of the console, such as "/console/search", with a query that begins with "?", if any."""
        return RedirectResponse(f"{self._root}{page}{query if query.startswith('?') else ''}", 303, _HEADERS)

    async def _frame(self, visit: Visit) -> Mapping[str, Any]:
        """Return what stands around every screen: the generation that answers, and the reload under way."""
        try:
            return {"info": await visit.api.get("/info"), "starting": None}
        except ApiError as error:
            # A key that may not search may not see what answers either.
            return {"info": None, "starting": None if error.status == 403 else error.message}

    def _answer(self, name: str, status: int, **values: Any) -> Response:
        return HTMLResponse(self._templates.get_template(name).render(**values), status, _HEADERS)


def load_command(visit: Visit, collection: str) -> str:
    """Return the command line that loads a folder of files that the console does not read."""
    return f"instar load FOLDER --collection {shlex.quote(collection)} --url {visit.origin}"


def _time(moment: str | None) -> str:
    """A time of the API, to the minute, in UTC."""
    return "never" if moment is None else datetime.fromisoformat(moment).strftime("%d %b %Y %H:%M UTC")


def _json(value: Any) -> str:
    """A value of the API as JSON that people read."""
    return json.dumps(value, indent=1, ensure_ascii=False)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"
