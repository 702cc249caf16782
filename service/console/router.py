"""All routes of the console: signing in and out, the files, and the screens."""

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp

from service.access.keyring import Keyring
from service.console.assets import Assets
from service.console.pages import Pages
from service.console.public_api import PublicApi
from service.console.screen import Screen
from service.console.screens import search, system
from service.console.session import Sessions


def routes(app: ASGIApp, keyring: Keyring, secret: Path, root: str) -> APIRouter:
    """Return the routes of the console of `app`.

    `secret` is the file of the secret that seals cookies, `root` the path that a proxy puts before the routes.
    """
    assets = Assets(root)
    sessions = Sessions(secret, keyring)
    pages = Pages(PublicApi(app), sessions, assets, root)
    router = APIRouter(include_in_schema=False)
    router.include_router(_entrance(sessions, pages, root))
    router.include_router(_files(assets))
    for screen in _screens(pages, sessions):
        router.include_router(screen.router)
    return router


def _screens(pages: Pages, sessions: Sessions) -> Sequence[Screen]:
    return [
        search.screen(Screen("search", pages, sessions)),
        system.screen(Screen("system", pages, sessions)),
    ]


def _entrance(sessions: Sessions, pages: Pages, root: str) -> APIRouter:
    router = APIRouter()
    home = f"{root}/console"

    async def show(request: Request, to: str = home) -> Response:
        return RedirectResponse(_within(to, home), 303) if pages.visit(request) else pages.sign_in(request, to)

    async def sign_in(request: Request) -> Response:
        form = await request.form()
        target = _within(str(form.get("to", home)), home)
        answer = RedirectResponse(target, 303)
        secure = request.url.scheme == "https" or request.headers.get("X-Forwarded-Proto") == "https"
        if sessions.sign_in(answer, str(form.get("key", "")).strip(), secure=secure, path=home):
            return answer
        message = "This key is not known here, or it was revoked. `python -m service key list` names those that are."
        return pages.sign_in(request, target, message, 401)

    async def sign_out(request: Request) -> Response:
        visit = pages.visit(request)
        answer = RedirectResponse(home, 303)
        if visit is not None and sessions.is_own_form(visit.session, str((await request.form()).get("form_token", ""))):
            sessions.sign_out(answer, path=home)
        return answer

    router.add_api_route("/console/sign-in", show, methods=["GET"])
    router.add_api_route("/console/sign-in", sign_in, methods=["POST"])
    router.add_api_route("/console/sign-out", sign_out, methods=["POST"])
    return router


def _files(assets: Assets) -> APIRouter:
    router = APIRouter()

    async def file(name: str) -> Response:
        return assets.response(name) or PlainTextResponse("there is no such file: load the page again", 404)

    router.add_api_route("/console/static/{checksum}/{name:path}", file, methods=["GET"])
    return router


def _within(target: str, home: str) -> str:
    """Return the target if it is a page of the console, else the console's first page."""
    return target if target == home or target.startswith((f"{home}/", f"{home}?")) else home
