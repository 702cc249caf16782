"""A load: what is stored is compared with what the files say, and the difference is sent."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any

from instar.client import Instar, InstarError, Refused
from instar.client.types import NewDocument, WriteAnswer
from instar.loading.cutting import Cutter, Passage
from instar.loading.piece import Piece, Unreadable
from instar.loading.reading import files_below, pieces_of

# The names of metadata that a load writes: which argument a passage came with, and which file it is of.
LOADED_FROM, SOURCE = "loaded_from", "source"
# Documents that are read by a request.
_PAGE = 1000
Advance = Callable[[int], object]


class Mistaken(InstarError):
    """A load would not do what is meant. The message says why, and what to do."""


class Stopped(InstarError):
    """A load has ended in the middle. The message says why, and how to go on."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that is loaded, its name as the source of passages, and its bytes."""

    path: Path
    source: str
    size: int


@dataclass(frozen=True, slots=True)
class Origin:
    """An argument of the command: a folder or a file, and the name by which its passages are known as its own."""

    name: str
    path: Path

    @classmethod
    def of(cls, path: Path, name: str | None = None) -> "Origin":
        """The origin of a path. Raises Mistaken if there is nothing."""
        if not path.exists():
            raise _absent(path)
        return cls(name or path.resolve().name, path)

    def files(self) -> list[File]:
        """The files that are there now. Raises Mistaken if the folder or the file is gone."""
        if not self.path.is_dir():
            try:
                return [File(self.path, self.name, self.path.stat().st_size)]
            except FileNotFoundError as error:
                raise _absent(self.path) from error
        return [
            File(path, f"{self.name}/{path.relative_to(self.path).as_posix()}", size)
            for path, size in files_below(self.path)
        ]


@dataclass(frozen=True, slots=True)
class Stored:
    """A passage that the service has."""

    source: str
    digest: bytes


@dataclass
class Outcome:
    """The things that a load has done, or with `dry` would do.

    `kept` are the ids of all passages that the files have, and `lengths` their tokens. `unreadable` files and `refused`
    passages come with the reason. A `repeated` id is that of an earlier passage, and does not count. `textless` rows of
    tables have no text, and make no passage.
    """

    files: int = 0
    kept: set[str] = field(default_factory=set)
    written: int = 0
    unchanged: int = 0
    removed: int = 0
    lengths: list[int] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    textless: int = 0
    examples: list[Passage] = field(default_factory=list)


class Load:
    """Brings the passages of one origin into a collection. Files that cannot be read keep the passages they had."""

    def __init__(self, client: Instar, cutter: Cutter, collection: str, *, dry: bool = False) -> None:
        self._client = client
        self._cutter = cutter
        self._collection = collection
        self._dry = dry

    def run(self, origin: Origin, files: Sequence[File], advance: Advance = int) -> Outcome:
        """Send what has changed in the files and remove what is gone. `advance` is told the bytes that are done.

        Raises Mistaken if the collection has passages of another origin with this name, and Stopped if the service
        fails after it has written some.
        """
        stored = self._stored(origin)
        self._require_same(origin, stored, {file.source for file in files})
        outcome = Outcome(files=len(files))
        changed = self._changed(files, stored, outcome, origin.name, advance)
        if self._dry:
            outcome.written = sum(1 for _ in changed)
            outcome.removed = len(_gone(files, stored, outcome))
            return outcome
        try:
            self._send(changed, outcome)
            outcome.removed = self._client.delete_all(_gone(files, stored, outcome), self._collection)
        except InstarError as error:
            if not outcome.written:
                raise
            raise Stopped(
                f"{error}; {outcome.written:,} passages are written by now: the same command sends what is left"
            ) from error
        return outcome

    def _send(self, passages: Iterable[Passage], outcome: Outcome) -> None:
        def count(answer: WriteAnswer) -> None:
            outcome.written += answer["written"]
            outcome.unchanged += answer["unchanged"]

        def put_aside(document: NewDocument, refused: Refused) -> None:
            # The name of the field in a request of one document says nothing to who has a folder.
            outcome.refused.append((str(document.get("id")), refused.reason.replace("documents.0.", "")))

        documents = (passage.document() for passage in passages)
        self._client.write_all(documents, self._collection, progress=count, refused=put_aside)

    def _changed(
        self, files: Sequence[File], stored: Mapping[str, Stored], outcome: Outcome, name: str, advance: Advance
    ) -> Iterator[Passage]:
        """Yield the passages that the service does not have as they are, and note all."""
        for file in files:
            try:
                pieces = pieces_of(file.path)
            except Unreadable as reason:
                outcome.unreadable.append((file.path, str(reason)))
                pieces = []
            outcome.textless += sum(not piece.text for piece in pieces)
            for passage in self._cutter.passages(_advancing(pieces, file.size, advance), file.source):
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
                outcome.examples = outcome.examples or [passage]
                yield passage

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


def _absent(path: Path) -> Mistaken:
    return Mistaken(f"{path} is not there: name a folder or a file")


def _advancing(pieces: Sequence[Piece], size: int, advance: Advance) -> Iterator[Piece]:
    """Yield the pieces of a file, and tell how many of its bytes they are when the next one is asked for."""
    for number, piece in enumerate(pieces, 1):
        yield piece
        advance(size * number // len(pieces) - size * (number - 1) // len(pieces))
    if not pieces:
        advance(size)


def _gone(files: Iterable[File], stored: Mapping[str, Stored], outcome: Outcome) -> list[str]:
    """The ids of stored passages that no file has, unless it is one that could not be read."""
    unreadable = {path for path, _ in outcome.unreadable}
    spared = {file.source for file in files if file.path in unreadable}
    return [one for one in stored if one not in outcome.kept and stored[one].source not in spared]


def _digest(text: str, metadata: dict[str, Any]) -> bytes:
    content = json.dumps([text, metadata], sort_keys=True, ensure_ascii=False)
    return sha256(content.encode()).digest()[:16]
