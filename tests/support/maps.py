"""Maps over HTTP."""

import time
from typing import Any

from tests.support.server import START_SECONDS, Server


def draw(server: Server, generation: int | None = None, begun: dict[str, Any] | None = None) -> dict[str, Any]:
    """Draw the map of a generation, unless it has `begun`, and return what the service says of it when it is there."""
    begun = begun or server.post("/admin/maps", None if generation is None else {"generation": generation})
    assert begun["state"] == "drawing"
    deadline = time.monotonic() + START_SECONDS
    while (state := server.get(f"/admin/maps/{begun['generation']}"))["state"] == "drawing":
        assert time.monotonic() < deadline, state
        time.sleep(0.05)
    assert state["state"] == "drawn", state
    drawn: dict[str, Any] = state
    return drawn
