"""`GET /docs`: the OpenAPI document as a page for people. Everything on it comes from the service itself.

Swagger UI is in `static` at a pinned version, so that the page works on a machine that reaches nothing else.
"""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import FileResponse, PlainTextResponse, Response

_FOLDER = Path(__file__).parent / "static"
_FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "docs.js": "text/javascript"}
# Swagger UI writes styles into its elements. It runs no script but files of the service, and asks no other site.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The calls · Instar</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{root}/docs/static/swagger-ui.css">
<script src="{root}/docs/static/swagger-ui-bundle.js" defer></script>
<script src="{root}/docs/static/docs.js" defer></script>
</head>
<body><div id="docs" data-openapi='{root}/openapi.json'></div></body>
</html>
"""


def routes(root: str) -> APIRouter:
    """Return the routes of the page. `root` is the path that a proxy puts before them."""
    router = APIRouter(include_in_schema=False)

    async def show() -> Response:
        return HTMLResponse(_PAGE.format(root=root), headers={"Content-Security-Policy": _POLICY})

    async def send_file(name: str) -> Response:
        if name not in _FILES:
            return PlainTextResponse("there is no such file: load /docs again", 404)
        return FileResponse(_FOLDER / name, media_type=_FILES[name], headers={"Cache-Control": "max-age=3600"})

    async def lead() -> Response:
        return RedirectResponse(f"{root}/docs")

    router.add_api_route("/docs", show, methods=["GET"])
    router.add_api_route("/docs/static/{name}", send_file, methods=["GET"])
    # A second page of the same document was here, which needed the internet.
    router.add_api_route("/redoc", lead, methods=["GET"])
    return router
