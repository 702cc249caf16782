"""A service that collects what users did, asked as admin."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.server import Server

ADMIN = {"Authorization": "Bearer admin-key"}
# Scripts of this origin may send feedback.
PAGE = "https://docs.example.com"
TEXTS = {"a": "closing the day", "b": "counting the stock", "c": "a parcel for the attic"}


@contextmanager
def collecting(folder: Path, checkpoints: Path, **settings: Any) -> Iterator[Server]:
    """Run a service with keys and documents in two collections."""
    server = Server(
        folder,
        MODEL="one",
        API_KEY="data-key",
        ADMIN_KEY="admin-key",
        FEEDBACK__ORIGINS=json.dumps([PAGE]),
        **settings,
    )
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(checkpoints / "one")
    with server:
        server.client.headers.update(ADMIN)
        server.put_documents(TEXTS)
        server.put_documents({"x": "elsewhere"}, collection="other")
        yield server
