"""A person at the console with the mouse alone or with the keyboard alone, whose clicks and keys are counted."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import Error, Locator, Page, expect

from tests.support.effort import Effort
from tests.support.waiting import until


class _Hands:
    """Counts what is done within a `with` block, and its seconds."""

    by = ""

    def __init__(self, page: Page, task: str, properties: list[tuple[str, Any]]) -> None:
        """`properties` are those of the test, among which the effort is noted."""
        self.page = page
        self.effort = Effort(task, self.by)
        self._properties = properties
        self._began = 0.0
        # From now on, choosers come here and not to the system, whenever one is asked for.
        page.on("filechooser", lambda _: None)

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.effort.seconds = time.perf_counter() - self._began
        if error is None:
            self.effort.note(self._properties)

    def write(self, text: str) -> None:
        """Type a text into the field that has the focus."""
        expect(self.page.locator("input:focus, textarea:focus")).to_be_editable()
        self.page.keyboard.type(text)
        self.effort.entries += 1
        self.effort.typed += len(text)

    def arrive(self, path: str) -> None:
        """Wait until the page of this path below the console is there with its scripts; its query may be any."""
        until(lambda: self._stands_on(f"/console{path}"))

    def _stands_on(self, path: str) -> bool:
        try:
            state: list[str] = self.page.evaluate("[location.pathname, document.readyState]")
        except Error:
            # It was leaving the former page.
            return False
        return state == [path, "complete"]

    def _choose_file(self, ask: Callable[[], None], path: Path) -> None:
        with self.page.expect_file_chooser() as chooser:
            ask()
        chooser.value.set_files(path)
        self.effort.entries += 1


class Mouse(_Hands):
    """Clicks, and types what no click can say."""

    by = "mouse"

    def click(self, target: Locator) -> None:
        target.click()
        self.effort.clicks += 1

    def open_screen(self, name: str) -> None:
        """Click a screen in the list."""
        self.click(self.page.get_by_role("navigation", name="Screens").get_by_role("link", name=name))

    def press_button(self, name: str) -> None:
        """Click the only button or link of this name, which may end with the key that presses it."""
        with_key = re.compile(rf"^{re.escape(name)}( \w)?$")
        self.click(self.page.get_by_role("button", name=with_key).or_(self.page.get_by_role("link", name=with_key)))

    def choose(self, label: str, value: str) -> None:
        """Open a list, and choose one of its values."""
        self.page.get_by_label(label).select_option(value)
        self.effort.clicks += 2

    def choose_file(self, label: str, path: Path) -> None:
        """Click a field, and choose a file in the dialog of the system."""
        self._choose_file(lambda: self.click(self.page.get_by_label(label)), path)


class Keyboard(_Hands):
    """Presses keys, and touches no mouse."""

    by = "keyboard"

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.effort.keys += 1

    def open_screen(self, name: str) -> None:
        """Leave the field that has the focus on the first page, and press the number of a screen in the list."""
        link = self.page.get_by_role("navigation", name="Screens").get_by_role("link", name=name)
        self.press("Escape", link.get_attribute("data-key") or "")

    def choose_file(self, key: str, path: Path) -> None:
        """Press the key of a field, and choose a file in the dialog of the system."""
        self._choose_file(lambda: self.press(key), path)
