"""Everything that was asked of the service and what it answered, with times."""

import itertools
import json
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

# acknowledged: it was answered that it is done. refused: it was answered that it is not. unknown: it may be done.
Outcome = Literal["acknowledged", "refused", "unknown"]
RELOADS = ("reload", "reload-reranker")


@dataclass
class Event:
    """One request, from `start` to `end` in seconds of one clock, or a mark of what happened to the process.

    `kind` is put, bulk, delete, search, reranked, list, embed, rerank, reload, rollback, upload, or launched, ready,
    fault, ended; what an operator does with a reranker is reload-reranker and rollback-reranker. Users have ask,
    feedback, say and forget; events is what the files of feedback had after the end of a process, said and derived what
    was judged after a start.
    `asked` and `answered` are what was sent and what came back, as far as the checker needs it. `replica` is the
    process that answered, if there are several.
    """

    kind: str
    actor: str
    start: float
    end: float
    outcome: Outcome
    status: int = 0
    asked: dict[str, Any] = field(default_factory=dict)
    answered: dict[str, Any] = field(default_factory=dict)
    number: int = 0
    replica: str = ""


class History:
    """Events in the order in which they ended. Safe from any thread."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def add(self, event: Event) -> Event:
        with self._lock:
            event.number = next(self._numbers)
            self.events.append(event)
        return event

    def write(self, path: Path) -> None:
        """As JSON lines."""
        path.write_text("".join(json.dumps(asdict(event)) + "\n" for event in self.events))
