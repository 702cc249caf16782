"""A load: what is stored is compared with what the files say, and the difference is sent."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from instar.client import Instar, InstarError, Refused
from instar.loading.cutting import Cutter, Passage
from instar.loading.piece import Unreadable
from instar.loading.reading import files_below, pieces_of

# The names of metadata that a load writes: which argument a passage came with, and which file it is of.
LOADED_FROM, SOURCE = "loaded_from", "source"
# Documents that are written or deleted by a request, and read by one.
_PORTION, _PAGE = 128, 1000
_T = TypeVar("_T")
Advance = Callable[[int], object]


def batched(items: Iterable[_T], most: int) -> Iterator[list[_T]]:
    """Yield the items in lists of at most `most`, as `itertools.batched` of Python 3.12 does."""
    iterator = iter(items)
    while portion := list(islice(iterator, most)):
        yield portion


class Mistaken(InstarError):
    """A load would not do what is meant. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Origin:
    """An argument of the command: a folder or a file, and the name by which its passages are known as its own."""

    name: str
    path: Path

    @classmethod
    def of(cls, path: Path, name: str | None = None) -> "Origin":
        """The origin of a path. Raises Mistaken if there is nothing."""
        if not path.exists():
            raise Mistaken(f"{path} is not there: name a folder or a file")
        return cls(name or path.resolve().name, path)

    def files(self) -> list[tuple[Path, str]]:
        """The files, each with its name as the source of passages."""
        if not self.path.is_dir():
            return [(self.path, self.name)]
        return [(path, f"{self.name}/{path.relative_to(self.path).as_posix()}") for path in files_below(self.path)]


@dataclass(frozen=True, slots=True)
class Stored:
    """A passage that the service has."""

    source: str
    digest: bytes


@dataclass
class Outcome:
    """The things that a load has done, or with `dry` would do.

    `kept` are the ids of all passages that the files have, and `lengths` their tokens. A `repeated` id is that of an
    earlier passage, and does not count.
    """

    files: int = 0
    kept: set[str] = field(default_factory=set)
    written: int = 0
    unchanged: int = 0
    removed: int = 0
    lengths: list[int] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    examples: list[Passage] = field(default_factory=list)


class Load:
    """Brings the passages of one origin into a collection. Files that cannot be read keep the passages they had."""

    def __init__(self, client: Instar, cutter: Cutter, collection: str, *, dry: bool = False) -> None:
        self._client = client
        self._cutter = cutter
        self._collection = collection
        self._dry = dry

    def run(self, origin: Origin, advance: Advance = int) -> Outcome:
        """Send what has changed and remove what is gone. `advance` is told the bytes of each file that is done.

        Raises Mistaken if the collection has passages of another origin with this name.
        """
        files = origin.files()
        stored = self._stored(origin)
        self._require_same(origin, stored, {source for _, source in files})
        outcome = Outcome(files=len(files))
        for portion in batched(self._changed(files, stored, outcome, origin.name, advance), _PORTION):
            self._write(portion)
        unreadable = {path for path, _ in outcome.unreadable}
        spared = {source for path, source in files if path in unreadable}
        gone = [one for one in stored if one not in outcome.kept and stored[one].source not in spared]
        for ids in batched(gone, _PORTION):
            if not self._dry:
                self._client.delete(ids=ids, collection=self._collection)
        outcome.removed = len(gone)
        return outcome

    def _changed(
        self,
        files: Sequence[tuple[Path, str]],
        stored: Mapping[str, Stored],
        outcome: Outcome,
        name: str,
        advance: Advance,
    ) -> Iterator[Passage]:
        """Yield the passages that the service does not have as they are, and count all."""
        for path, source in files:
            passages: list[Passage] = []
            try:
                passages = list(self._cutter.passages(pieces_of(path), source))
            except Unreadable as reason:
                outcome.unreadable.append((path, str(reason)))
            for passage in passages:
                passage.metadata[LOADED_FROM] = name
                if passage.id in outcome.kept:
                    outcome.repeated.append(passage.id)
                    continue
                outcome.kept.add(passage.id)
                outcome.lengths.append(passage.tokens)
                former = stored.get(passage.id)
                if former is not None and former.digest == _digest(passage.text, passage.metadata):
                    outcome.unchanged += 1
                    continue
                outcome.written += 1
                outcome.examples = outcome.examples or [passage]
                yield passage
            advance(path.stat().st_size)

    def _stored(self, origin: Origin) -> dict[str, Stored]:
        """The passages of an earlier load, by id."""
        try:
            return {
                document["id"]: Stored(
                    str(document["metadata"].get(SOURCE)), _digest(document["text"], document["metadata"])
                )
                for document in self._client.matching(
                    filter={LOADED_FROM: origin.name}, collection=self._collection, limit=_PAGE
                )
            }
        except Refused as refused:
            # The first load makes the collection.
            if refused.status == HTTPStatus.NOT_FOUND:
                return {}
            raise

    def _require_same(self, origin: Origin, stored: Mapping[str, Stored], sources: Iterable[str]) -> None:
        former = {one.source for one in stored.values()}
        if former and former.isdisjoint(sources):
            raise Mistaken(
                f"{self._collection} has {len(stored):,} passages of another {origin.name!r}, none of whose files is"
                f" here, as {min(former)}: give this one a name of its own by --name, or delete those first"
            )

    def _write(self, passages: Sequence[Passage]) -> None:
        if not self._dry:
            self._client.write(documents=[passage.document() for passage in passages], collection=self._collection)


def _digest(text: str, metadata: dict[str, Any]) -> bytes:
    content = json.dumps([text, metadata], sort_keys=True, ensure_ascii=False)
    return sha256(content.encode()).digest()[:16]
