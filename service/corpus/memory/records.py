"""Records of generations and jobs in memory."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from service.corpus.balance import Balance
from service.corpus.base import GenerationRecord


class MemoryRecords:
    """The `Records` in memory."""

    def __init__(self) -> None:
        self._generations: dict[int, GenerationRecord] = {}
        self._notes: dict[str, str] = {}
        self._jobs: dict[str, tuple[str, str]] = {}

    def activate(
        self, record: GenerationRecord, retain: int, prepare: Callable[[], None] = lambda: None
    ) -> GenerationRecord:
        prepare()
        former = {generation.number: generation for generation in self.generations()}
        activation = 1 + max((generation.activation for generation in former.values()), default=0)
        active = record.model_copy(
            update={
                "number": record.number or self.next_number(),
                "state": "active",
                "activation": activation,
                "activated": datetime.now(UTC),
            }
        )
        former.pop(active.number, None)
        loaded = [number for number, generation in former.items() if generation.state != "released"]
        states = {number: "retained" if number in loaded[:retain] else "released" for number in former}
        changed = {
            number: generation.model_copy(update={"state": states[number]}) for number, generation in former.items()
        }
        self._generations = {**changed, active.number: active}
        return active

    def now(self) -> datetime:
        return datetime.now(UTC)

    def next_number(self) -> int:
        return 1 + max(self._generations, default=0)

    def save_weights(self, number: int, weights: Mapping[str, Balance]) -> None:
        record = self._generations.get(number)
        if record is not None:
            changed = record.model_copy(update={"weights": dict(weights)})
            self._generations = {**self._generations, number: changed}

    def release(self, number: int) -> None:
        record = self._generations.get(number)
        if record is not None and record.state == "retained":
            self._generations = {**self._generations, number: record.model_copy(update={"state": "released"})}

    def wait_for_changes(self) -> None:
        """See `Records`; a change that was lost is undone."""

    def generations(self) -> list[GenerationRecord]:
        return sorted(self._generations.values(), key=lambda record: -record.activation)

    def note(self, name: str) -> str | None:
        return self._notes.get(name)

    def save_note(self, name: str, value: str | None) -> None:
        others = {key: text for key, text in self._notes.items() if key != name}
        self._notes = others if value is None else {**others, name: value}

    def announce(self, name: str, value: str) -> None:
        self.save_note(name, value)

    def notes(self, beginning: str) -> dict[str, str]:
        return {name.removeprefix(beginning): text for name, text in self._notes.items() if name.startswith(beginning)}

    def job(self, identity: str) -> str | None:
        return self._jobs[identity][1] if identity in self._jobs else None

    def save_job(self, identity: str, state: str, record: str) -> None:
        self._jobs = {**self._jobs, identity: (state, record)}

    def latest_jobs(self, limit: int) -> list[str]:
        records = [record for _, record in self._jobs.values()]
        return sorted(records, key=lambda record: str(json.loads(record)["created"]), reverse=True)[:limit]

    def unfinished_jobs(self) -> list[str]:
        return [record for state, record in self._jobs.values() if state in ("queued", "running")]
