"""`make screenshots`: draw every screen of the console, light and dark, into docs/console."""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.console import used
from tests.console.browser import Watched, launched
from tests.console.screens import SCREENS
from tests.support.maps import draw
from tests.support.server import Server
from tests.support.waiting import until

_INTO = Path(__file__).parents[2] / "docs" / "console"
_HEIGHT = 800
# Few colours make small files, and a page has few.
_COLOURS = 256
_POINTS = 4


def main() -> int:
    """Start a service with the sample corpus and a past, sign in, and visit all screens."""
    _INTO.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, launched() as browser:
        folder = Path(name)
        key = used.opened(folder)
        with Server(folder, **used.SETTINGS) as server:
            server.client.headers["Authorization"] = f"Bearer {key}"
            used.live(server)
            # A chart of the last hour has a point for every twenty seconds.
            until(lambda: len(server.get("/admin/history")["ended"]) >= _POINTS, 120)
            for generation in server.get("/admin/generations")["generations"]:
                if generation["state"] in ("active", "retained"):
                    draw(server, generation["generation"])
            for scheme in ("light", "dark"):
                _draw(Watched(browser, str(server.client.base_url), scheme, height=_HEIGHT), scheme, server, key)
    return 0


def _draw(watched: Watched, scheme: str, server: Server, key: str) -> None:
    page = watched.open("/console")
    _save(page, f"sign-in-{scheme}")
    watched.sign_in(key)
    for screen in SCREENS:
        if screen.drawn:
            watched.open(screen.address(server))
            page.wait_for_load_state("networkidle")
            watched.settle()
            _save(page, f"{screen.name}-{scheme}")
    watched.close()
    if watched.complaints:
        print(scheme, *watched.complaints)


def _save(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    palette = picture.quantize(_COLOURS, dither=Image.Dither.NONE)
    palette.save(_INTO / f"{name}.png", optimize=True)
    print(name)


if __name__ == "__main__":
    sys.exit(main())
