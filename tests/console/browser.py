"""Debian's Chromium, driven by Playwright, and what a page does that it should not do."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Dialog,
    Error,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_AXE = Path(__file__).parent / "vendor" / "axe.min.js"
# The rules that a page can break in the dark alone.
_OF_COLOURS = ["color-contrast"]
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser without a window."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    assert path, "the tests of the console need a browser: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


class Watched:
    """A page, and all that it asked for, complained about or let happen."""

    def __init__(
        self, browser: Browser, address: str, scheme: Any = "light", width: int = 1280, height: int = 900
    ) -> None:
        """`address` is that of the service, to which a path is added."""
        self._address = address
        self._context = browser.new_context(
            base_url=address,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",
            permissions=["clipboard-read", "clipboard-write"],
        )
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(20_000)
        self.requests: list[Request] = []
        self.scripts: dict[str, int] = {}
        self.complaints: list[str] = []
        self.page.on("request", self._note_request)
        self.page.on("response", self._note_response)
        self.page.on("console", self._note_complaint)
        self.page.on("pageerror", self._note_error)
        self.page.on("dialog", self._note_dialog)
        # A violation is in the console as well, but not in words that are promised.
        self.page.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('policy', e.violatedDirective, e.sample))"
        )

    def open(self, path: str) -> Page:
        """Go to a path of the service."""
        self.page.goto(path)
        return self.page

    def sign_in(self, key: str) -> None:
        """Come in with a key, as the form at the door does."""
        self._context.request.post("/console/sign-in", form={"key": key}, max_redirects=0)

    def settle(self) -> None:
        """Wait until the page has all that it asks for by itself."""
        expect(self.page.locator(".htmx-request")).to_have_count(0, timeout=20_000)

    def close(self) -> None:
        self._context.close()

    @property
    def asked_elsewhere(self) -> list[str]:
        """The addresses of other places that were asked for anything."""
        here = urlsplit(self._address).netloc
        return [
            one.url for one in self.requests if urlsplit(one.url).netloc != here and not one.url.startswith("data:")
        ]

    def accessibility(self, *, colours: bool = False) -> list[str]:
        """What axe finds, a line for each element; it looks for more than WCAG 2.2 AA. `colours`: at these alone."""
        self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        run = "only => axe.run(document, {runOnly: only, preload: false, resultTypes: ['violations']})"
        only = {"type": "rule", "values": _OF_COLOURS} if colours else {"type": "tag", "values": _TAGS}
        violations: list[dict[str, Any]] = self.page.evaluate(run, only)["violations"]
        return [
            f"{rule['id']}: {node['html']}: {node['failureSummary']}" for rule in violations for node in rule["nodes"]
        ]

    def _note_request(self, request: Request) -> None:
        self.requests.append(request)

    def _note_error(self, error: Error) -> None:
        self.complaints.append(f"page error: {error}")

    def _note_dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note_response(self, response: Response) -> None:
        if response.status == 500:
            self.complaints.append(f"failed: {response.url}")
        # One that has not changed since has no length.
        if response.request.resource_type == "script" and response.status == 200:
            self.scripts[urlsplit(response.url).path.rpartition("/")[2]] = int(response.headers["content-length"])

    def _note_complaint(self, message: ConsoleMessage) -> None:
        # A page that says no has the status for it, which Chromium reports as well.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(f"{message.type}: {message.text}")
