"""A move: one moment of a store, copied to an empty one of the other kind and compared before it counts."""

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from service.errors import InvalidRequest, StorageFailed
from service.settings import Settings
from service.settings.data_folder import DataFolder
from service.wiring.moving import folder, folder_target, schema, schema_target
from service.wiring.moving.comparison import Compared, compare
from service.wiring.moving.contents import Contents, Target
from service.wiring.moving.keys import copy_keys
from service.wiring.moving.tables import TABLES, Row

_URLS = ("postgresql://", "postgres://")
_GENERATIONS = next(table for table in TABLES if table.name == "generations")


@dataclass(frozen=True)
class Moved:
    """A move that has ended: the highest number that was given at its moment, and what was compared.

    `checkpoints` are the ids of those that the generations need. `has_changed` says whether somebody has written to the
    source since the moment.
    """

    last_seq: int
    compared: list[Compared]
    checkpoints: list[str]
    has_changed: bool


class Differs(StorageFailed):
    """The target has not what was read from the source, so it is not a whole one."""

    def __init__(self, compared: list[Compared]) -> None:
        kinds = ", ".join(each.kind for each in compared if not each.is_equal)
        super().__init__(f"the copy differs in {kinds}: check the disk and the server of the target, then move again")
        self.compared = compared


def move(source: str, target: str, settings: Settings, named: str | None, report: Callable[[str], None]) -> Moved:
    """Move everything between a folder and PostgreSQL, each as its path or its URL; `named` is the schema there.

    Raises InvalidRequest unless one of both is PostgreSQL, NotFound if there is nothing at the source, Conflict if the
    target is not empty, Differs if it is not as the source in the end, and StorageFailed if one cannot be used.
    """
    if source.startswith(_URLS) == target.startswith(_URLS):
        raise InvalidRequest(
            "a move leads from a folder to PostgreSQL or back: give --from or --to a URL that begins with"
            " postgresql://, and the other one a folder"
        )
    with _reading(source, settings, named) as origin, _writing(target, settings, named) as destination:
        return run(origin, destination, report)


def run(source: Contents, target: Target, report: Callable[[str], None]) -> Moved:
    """Copy everything and compare. Raises Differs if the target is not as the source."""
    copy_keys(source.secrets, target.secrets)
    target.note_keys()
    counters: dict[str, int] = dict(source.counters())
    report(f"copying the moment at which last_seq was {counters['last_seq']}")
    for table in TABLES:
        report(f"copying {table.name}")
        target.put(table, source.rows(table))
    for fingerprint, dimensions in sorted(source.fingerprints().items()):
        report(f"copying vectors of {fingerprint}")
        target.put_vectors(fingerprint, dimensions, source.vectors(fingerprint))
        target.put_windowings(fingerprint, dimensions, source.windowings(fingerprint))
    # The rows before have set other numbers.
    target.put_counters(counters.items())
    with target.contents() as copied:
        compared = compare(source, copied, report)
    if not all(each.is_equal for each in compared):
        raise Differs(compared)
    checkpoints = sorted(_checkpoints(source.rows(_GENERATIONS)))
    return Moved(counters["last_seq"], compared, checkpoints, source.has_changed())


def _checkpoints(generations: Iterable[Row]) -> set[str]:
    """Return the ids of the checkpoints of generations that can answer."""
    return {json.loads(record)["model"] for _, state, _, record in generations if state != "released"}


def _reading(place: str, settings: Settings, named: str | None) -> AbstractContextManager[Contents]:
    if place.startswith(_URLS):
        return schema.reading(place, named or settings.replicas.db_schema, settings.secrets_folder)
    return folder.reading(DataFolder(Path(place)))


def _writing(place: str, settings: Settings, named: str | None) -> AbstractContextManager[Target]:
    if place.startswith(_URLS):
        return schema_target.writing(place, named or settings.replicas.db_schema, settings.secrets_folder)
    return folder_target.writing(DataFolder(Path(place)))
