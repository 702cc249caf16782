"""`make screenshots`: draw every screen of the console, light and dark, into docs/console."""

import sys
import tempfile
from pathlib import Path

from service import sample
from service.access import keyring
from service.access.keyring import Limits
from tests.console.browser import Watched, launched
from tests.console.screens import SCREENS
from tests.support.maps import draw
from tests.support.server import Server

_INTO = Path(__file__).parents[2] / "docs" / "console"


def main() -> int:
    """Start a service with the sample corpus and two generations, sign in, and visit all screens."""
    _INTO.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, launched() as browser:
        folder = Path(name)
        key = keyring.create(folder / "data" / "keys.json", "ana", ["admin"], Limits())
        with Server(folder, SAMPLE="true", MODE="hybrid") as server:
            server.client.headers["Authorization"] = f"Bearer {key}"
            draw(server)
            server.reload(sample.SHORT)
            draw(server, 2)
            for scheme in ("light", "dark"):
                _draw(Watched(browser, str(server.client.base_url), scheme), scheme, key)
    return 0


def _draw(watched: Watched, scheme: str, key: str) -> None:
    page = watched.open("/console")
    page.screenshot(path=_INTO / f"sign-in-{scheme}.png")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console")
    for screen in SCREENS:
        if screen.drawn:
            watched.open(screen.path)
            page.wait_for_load_state("networkidle")
            page.screenshot(path=_INTO / f"{screen.name}-{scheme}.png")
            print(screen.name, scheme, *watched.complaints)
    watched.close()


if __name__ == "__main__":
    sys.exit(main())
