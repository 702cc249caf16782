"""Pages: templates with what every page shows, and a face for each way in which the API can refuse."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from service.console.assets import Assets
from service.console.public_api import ApiError, Caller, PublicApi
from service.console.session import Session, Sessions

_TEMPLATES = Path(__file__).parent / "templates"
# Scripts and styles are files of the service. Nothing of a document can run, and no other site is asked for anything.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
SCREENS = ("search", "judge", "quality", "models", "corpus", "map", "system")


class Visit:
    """One request to the console by a person who may be there: the person, and the API as this person has it."""

    def __init__(self, request: Request, session: Session, api: Caller) -> None:
        self.request = request
        self.session = session
        self.api = api


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
        self._templates.globals.update(asset=assets.address, root=root, screens=SCREENS)
        self._templates.filters.update(time=_time, number=_number)

    def visit(self, request: Request) -> Visit | None:
        """Return the visit of a request; None if the person has to sign in."""
        session = self._sessions.of(request)
        return None if session is None else Visit(request, session, self._api.with_key(session.key))

    async def render(self, visit: Visit, name: str, status: int = 200, **values: Any) -> Response:
        """Render the template of a screen with the frame around it."""
        return self._answer(
            name, status, session=visit.session, request=visit.request, **await self._frame(visit), **values
        )

    async def refused(self, visit: Visit, screen: str, error: ApiError) -> Response:
        """Render what to do about an error of the API, in the frame of the screen."""
        if error.status == 401:
            return self.to_sign_in(visit.request)
        return await self.render(visit, "refused.html", error.status, screen=screen, error=error)

    def sign_in(self, request: Request, target: str, message: str | None = None, status: int = 200) -> Response:
        """Render the page that asks for a key, and leads to `target` afterwards."""
        return self._answer("sign_in.html", status, request=request, session=None, target=target, message=message)

    def to_sign_in(self, request: Request) -> Response:
        """Lead to the page that asks for a key."""
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        address = f"{self._root}/console/sign-in"
        if request.headers.get("HX-Request"):
            return Response(status_code=204, headers={"HX-Redirect": address})
        return RedirectResponse(str(request.url.replace(path=address, query="").include_query_params(to=target)), 303)

    async def _frame(self, visit: Visit) -> Mapping[str, Any]:
        """Return what stands around every screen: the generation that answers, and the reload under way."""
        try:
            return {"info": await visit.api.get("/info"), "starting": None}
        except ApiError as error:
            return {"info": None, "starting": error.message}

    def _answer(self, name: str, status: int, **values: Any) -> Response:
        return HTMLResponse(self._templates.get_template(name).render(**values), status, _HEADERS)


def _time(moment: str | None) -> str:
    """A time of the API, to the minute, in UTC."""
    return "never" if moment is None else datetime.fromisoformat(moment).strftime("%d %b %Y %H:%M UTC")


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"
