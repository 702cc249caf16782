"""Visits of a person who has signed in and stands on the console's first page, with a task."""

from collections.abc import Callable
from typing import Any, TypeVar

from tests.console.browser import Watched
from tests.console.hands import Keyboard, Mouse
from tests.support.server import Server

ADMIN_KEY = "admin-key"
H = TypeVar("H", Mouse, Keyboard)


class Tasks:
    """Begins tasks, and notes what each has cost for the end of the run."""

    def __init__(self, visit: Callable[[Server], Watched], properties: list[tuple[str, Any]]) -> None:
        """`properties` are those of the test."""
        self._visit = visit
        self._properties = properties

    def begin(self, server: Server, hands: type[H], task: str, key: str | None = ADMIN_KEY) -> H:
        """Open the first page, signed in with the key; None: signed out. `hands` are those that do the task."""
        watched = self._visit(server)
        # A visit of the server's client has come in with that client's key.
        watched.page.context.clear_cookies()
        if key is not None:
            sign_in = f"{server.client.base_url}/console/sign-in"
            assert watched.page.context.request.post(sign_in, form={"key": key}).ok
        watched.open("/console")
        return hands(watched.page, task, self._properties)
