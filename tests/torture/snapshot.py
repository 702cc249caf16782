"""What the files of a dead process have of feedback. A copy is read: the next process has its own files to recover."""

import shutil
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from service.errors import InstarError
from service.learning.derive import derive
from service.learning.sqlite.store import SqliteFeedbackStore


def read(path: Path) -> dict[str, Any]:
    """The stored events, the clicks of each query and document, and the judgements that follow; or an `error`."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("", "-wal"):
            file = path.with_name(path.name + suffix)
            if file.exists():
                shutil.copy(file, folder)
        with closing(SqliteFeedbackStore(Path(folder) / path.name)) as store:
            try:
                return _read(store)
            except InstarError as error:
                return {"error": error.message}


def _read(store: SqliteFeedbackStore) -> dict[str, Any]:
    events = [
        {"id": event.id, "action": event.action, "documents": list(event.documents), "search": event.search}
        for event in store.events()
    ]
    clicks = Counter[str]()
    for row in store.impressions():
        clicks[f"{row.query}|{row.document}"] += row.clicked
    derived = sorted(
        [row.collection, row.query, row.document, row.good, round(row.weight, 6), row.source]
        for row in derive(store.events(), store.impressions())
    )
    return {"events": events, "clicks": {pair: times for pair, times in clicks.items() if times}, "derived": derived}
