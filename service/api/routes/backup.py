"""`GET /admin/backup`: one archive of everything."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from fastapi import Response
from fastapi.responses import StreamingResponse

from service.api.openapi import backup as documented
from service.api.readiness import RequireReady
from service.api.router import Admission, Router
from service.corpus.base import CorpusStore
from service.generations import backup
from service.generations.backup import Snapshot
from service.settings import Settings


def routes(admission: Admission, require_ready: RequireReady, corpus: CorpusStore, settings: Settings) -> Router:
    """The route of backups."""
    router = Router(admission, "admin", "admin")
    router.add("GET /admin/backup", _Backups(require_ready, corpus, settings).take_backup, documented.TAKE)
    return router


class _Backups:
    def __init__(self, require_ready: RequireReady, corpus: CorpusStore, settings: Settings) -> None:
        self._require_ready = require_ready
        self._corpus = corpus
        self._settings = settings

    async def take_backup(self) -> Response:
        """Answer a tar archive with one moment of the corpus, and the checkpoints that it needs; see restore."""
        self._require_ready()
        settings = self._settings
        snapshot = await asyncio.to_thread(backup.take, self._corpus, settings.data_dir, settings.headroom.disk)
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
