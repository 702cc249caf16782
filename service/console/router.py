"""All routes of the console: signing in and out, the files, and the screens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from service.access.keyring import Keyring
from service.console.assets import Assets
from service.console.attempts import Attempts
from service.console.pages import Pages, Visit
from service.console.public_api import ApiError, PublicApi
from service.console.screen import Screen, read_form
from service.console.screens import corpus, judge, maps, models, quality, questions, runs, search, start, system
from service.console.session import Sessions

# Largest form of the door, which is open to everybody, in bytes.
_MOST_AT_THE_DOOR = 10_000
# Browsers say where a request comes from (W3C, Fetch Metadata): a page of the console, or a person.
_OWN = ("same-origin", "none")


@dataclass(frozen=True)
class Console:
    """The routes of the console, and the page that a person sees when one of them fails in a way nobody foresaw."""

    router: APIRouter
    failed: Callable[[Request], Response]


def console(app: ASGIApp, keyring: Keyring, secret: Path, root: str) -> Console:
    """Return the console of `app`.

    `secret` is the file of the secret that seals cookies, `root` the path that a proxy puts before the routes.
    """
    assets = Assets(root)
    sessions = Sessions(secret, keyring)
    pages = Pages(PublicApi(app), sessions, assets, root)
    router = APIRouter(include_in_schema=False)
    router.include_router(_entrance(sessions, pages, root))
    router.include_router(_files(assets))
    for screen in (*_screens(pages, sessions), _nowhere(pages, sessions)):
        router.include_router(screen.router)
    return Console(router, pages.failed)


def _screens(pages: Pages, sessions: Sessions) -> Sequence[Screen]:
    return [
        start.screen(Screen("start", pages, sessions)),
        search.screen(Screen("search", pages, sessions)),
        questions.screen(Screen("search", pages, sessions)),
        judge.screen(Screen("judge", pages, sessions)),
        models.screen(Screen("models", pages, sessions)),
        runs.screen(Screen("models", pages, sessions)),
        quality.screen(Screen("quality", pages, sessions)),
        corpus.screen(Screen("corpus", pages, sessions)),
        maps.screen(Screen("map", pages, sessions)),
        system.screen(Screen("system", pages, sessions)),
    ]


def _nowhere(pages: Pages, sessions: Sessions) -> Screen:
    """Return the page of all addresses that no screen has."""
    routes = Screen("", pages, sessions)

    async def show(visit: Visit) -> Response:
        if visit.request.scope["path"] == "/console/":
            return pages.lead("/console")
        raise ApiError(404, "not_found", "the console has no page at this address: choose a screen from the list")

    routes.shows("/console/{path:path}", show)
    return routes


def _entrance(sessions: Sessions, pages: Pages, root: str) -> APIRouter:
    router = APIRouter()
    home = f"{root}/console"
    attempts = Attempts()

    def lead(to: str) -> Response:
        return pages.lead(_within(to, home).removeprefix(root))

    async def show(request: Request, to: str = home) -> Response:
        return lead(to) if pages.visit(request) else pages.sign_in(request, _within(to, home))

    async def sign_in(request: Request) -> Response:
        try:
            form = await read_form(request, _MOST_AT_THE_DOOR)
        except ApiError as error:
            return pages.sign_in(request, home, error.message, error.status)
        target = _within(str(form.get("to", home)), home)
        if request.headers.get("Sec-Fetch-Site", "none") not in _OWN:
            # Another site could sign a person in with a key of its own, and read later what the person did.
            return pages.sign_in(request, target, "Another site has sent this form: enter your key here.", 403)
        address = request.client.host if request.client else ""
        if seconds := attempts.wait(address):
            message = f"There were too many wrong keys from your address: try again in {seconds:.0f} seconds."
            return pages.sign_in(request, target, message, 429)
        answer = lead(target)
        secure = request.url.scheme == "https" or request.headers.get("X-Forwarded-Proto") == "https"
        if sessions.sign_in(answer, str(form.get("key", "")).strip(), secure=secure, path=home):
            return answer
        attempts.failed(address)
        message = "This key is not known here, or it was revoked. `instar key list` names those that are."
        return pages.sign_in(request, target, message, 401)

    async def sign_out(request: Request) -> Response:
        visit = pages.visit(request)
        answer = pages.lead("/console")
        if visit is None:
            return answer
        try:
            form = await read_form(request, _MOST_AT_THE_DOOR)
        except ApiError as error:
            return await pages.refused(visit, "", error)
        if sessions.is_own_form(visit.session, str(form.get("form_token", ""))):
            sessions.sign_out(answer, path=home)
        return answer

    router.add_api_route("/console/sign-in", show, methods=["GET"])
    router.add_api_route("/console/sign-in", sign_in, methods=["POST"])
    router.add_api_route("/console/sign-out", sign_out, methods=["POST"])
    return router


def _files(assets: Assets) -> APIRouter:
    router = APIRouter()

    async def file(checksum: str, name: str) -> Response:
        return assets.response(checksum, name) or PlainTextResponse("there is no such file: load the page again", 404)

    router.add_api_route("/console/static/{checksum}/{name:path}", file, methods=["GET"])
    return router


def _within(target: str, home: str) -> str:
    """Return the target if it is a page of the console, else the console's first page."""
    is_below = target == home or target.startswith((f"{home}/", f"{home}?"))
    # Browsers take these parts for ways out of a folder, however they are written (WHATWG URL, path state).
    steps = unquote(target.partition("?")[0]).replace("\\", "/").split("/")
    return target if is_below and not {".", ".."} & set(steps) else home
