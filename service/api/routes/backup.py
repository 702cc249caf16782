"""`GET /admin/backup`: one archive of everything."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query, Response
from fastapi.responses import StreamingResponse

from service.api.openapi import backup as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.corpus.base import CorpusStore
from service.generations import backup
from service.generations.backup import Snapshot, UsersData
from service.machine.resources import Headroom
from service.settings.data_folder import DataFolder

WithFeedback = Annotated[bool, Query(description="whether searches and feedback of users are in the archive")]


def routes(
    admission: Admission,
    require_ready: RequireReady,
    corpus: CorpusStore,
    users_data: UsersData,
    data_folder: DataFolder,
    headroom: Headroom,
) -> Router:
    """The route of backups."""
    router = Router(admission, "admin", "admin")
    handlers = _Backups(require_ready, corpus, users_data, data_folder, headroom)
    router.add("GET /admin/backup", handlers.take_backup, documented.TAKE)
    return router


class _Backups:
    def __init__(
        self,
        require_ready: RequireReady,
        corpus: CorpusStore,
        users_data: UsersData,
        data_folder: DataFolder,
        headroom: Headroom,
    ) -> None:
        self._require_ready = require_ready
        self._corpus = corpus
        self._users_data = users_data
        self._data_folder = data_folder
        self._headroom = headroom

    async def take_backup(self, feedback: WithFeedback = True) -> Response:
        """Answer a tar archive with one moment of the corpus, the checkpoints that it needs, and the searches and
        feedback of users; see restore.
        """
        self._require_ready()
        users_data = self._users_data if feedback else None
        snapshot = await asyncio.to_thread(backup.take, self._corpus, users_data, self._data_folder, self._headroom)
        name = f"instar-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar"
        return StreamingResponse(
            _archive(snapshot),
            media_type="application/x-tar",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


async def _archive(snapshot: Snapshot) -> AsyncIterator[bytes]:
    parts = snapshot.stream()
    try:
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            yield part
    finally:
        snapshot.remove()
