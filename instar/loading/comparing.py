"""A comparison: what the files of an origin say now, and what is stored of them."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from instar.client.types import StoredDocument
from instar.loading.cutting import Cutter, Passage
from instar.loading.origin import File, Listing, Mistaken, Origin, Unread
from instar.loading.owners import LOADED_FROM, Owners
from instar.loading.piece import Piece, Unreadable
from instar.loading.reading import CONVERTED, pieces_of

# The names of metadata that say which file a passage is of: the second one, if a row has a value of its own there.
_SOURCE, _FILE = "source", "loaded_file"
Advance = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Stored:
    """A passage that the service has, by its file, and a hash of the rest."""

    file: str
    digest: bytes

    @classmethod
    def of(cls, document: StoredDocument) -> "Stored":
        """Take what matters of a document."""
        metadata = document["metadata"]
        return cls(str(metadata.get(_FILE, metadata.get(_SOURCE))), _digest(document["text"], metadata))


@dataclass
class Outcome:
    """The things that a load has done, or with `dry` would do.

    `files` counts those with a text, and `textless` are those that never had one, as `rows_without_text` of tables.
    `kept` are the ids of all passages that the files have, and `lengths` their tokens. A `repeated` id is that of an
    earlier passage of this load, and a `taken` one that of another load, which is named; neither counts.
    """

    files: int = 0
    kept: set[str] = field(default_factory=set)
    written: int = 0
    unchanged: int = 0
    removed: int = 0
    lengths: list[int] = field(default_factory=list)
    unreadable: list[Unread] = field(default_factory=list)
    textless: list[Unread] = field(default_factory=list)
    rows_without_text: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    taken: list[tuple[str, str]] = field(default_factory=list)
    examples: list[Passage] = field(default_factory=list)


class Comparison:
    """Finds the passages that the service does not have as they are, and those that no file has any more."""

    def __init__(
        self, origin: Origin, listing: Listing, stored: Mapping[str, Stored], owners: Owners, *, replace: bool
    ) -> None:
        """Compare with what is `stored` of the origin, most of which may go if it is to `replace` it."""
        self.outcome = Outcome(unreadable=list(listing.unread))
        self._origin = origin
        self._files = listing.files
        self._stored = stored
        self._stored_of = Counter(one.file for one in stored.values())
        self._owners = owners
        self._replace = replace
        self._met = 0

    def changed(self, cutter: Cutter, advance: Advance) -> Iterator[Passage]:
        """Yield the passages that are to be sent. `advance` is told the bytes that are done.

        None comes before it is sure that most of what is stored stays. Raises Mistaken otherwise.
        """
        held: list[Passage] = []
        for passage in self._different(cutter, advance):
            held.append(passage)
            if self._replace or 2 * self._met >= len(self._stored):
                yield from held
                held.clear()
        if not self._replace:
            self._require_most()
        yield from held

    def gone(self) -> list[str]:
        """The ids of stored passages that no file has, unless it is one that could not be read."""
        spared = {file for file in self._stored_of if any(unread.covers(file) for unread in self.outcome.unreadable)}
        kept = self.outcome.kept
        return [one for one, former in self._stored.items() if one not in kept and former.file not in spared]

    def _require_most(self) -> None:
        # A text that is cut into fewer parts than before is still there.
        gone = [one for one in self.gone() if one.rpartition(":")[0] not in self.outcome.kept]
        if 2 * len(gone) > len(self._stored):
            name, path = self._origin.name, self._origin.path
            raise Mistaken(
                f"{len(gone):,} of {len(self._stored):,} passages that were loaded as {name!r} are not in {path} now,"
                f" as {min(gone)}, so nothing was sent: if this is another {name!r}, give it a name of its own by"
                " --name; if they are to be removed, add --replace"
            )

    def _different(self, cutter: Cutter, advance: Advance) -> Iterator[Passage]:
        for file in self._files:
            for passage in cutter.passages(_advancing(self._pieces(file), file.size, advance), file.source):
                # What an export has there speaks of another load.
                passage.metadata.pop(_FILE, None)
                if passage.metadata[_SOURCE] != file.source:
                    passage.metadata[_FILE] = file.source
                passage.metadata[LOADED_FROM] = self._origin.name
                if self._is_different(passage):
                    yield passage

    def _is_different(self, passage: Passage) -> bool:
        """Whether the service does not have the passage as it is, nor another load its id. It is noted."""
        outcome, former = self.outcome, self._stored.get(passage.id)
        if passage.id in outcome.kept:
            outcome.repeated.append(passage.id)
            return False
        owner = self._owners.of(passage.id) if former is None else None
        if owner is not None and owner != self._origin.name:
            outcome.taken.append((passage.id, owner))
            return False
        outcome.kept.add(passage.id)
        outcome.lengths.append(passage.tokens)
        if former is not None:
            self._met += 1
            if former.digest == _digest(passage.text, passage.metadata):
                outcome.unchanged += 1
                return False
        outcome.examples = outcome.examples or [passage]
        return True

    def _pieces(self, file: File) -> Sequence[Piece]:
        """The pieces of a file, none if it cannot be read or has no text, which is noted."""
        try:
            read = pieces_of(file.path)
            pieces = [piece for piece in read if piece.text]
            self.outcome.rows_without_text += len(read) - len(pieces)
            if pieces:
                self.outcome.files += 1
                return pieces
        except Unreadable as error:
            self.outcome.unreadable.append(Unread(file.path, file.source, str(error)))
            return []
        no_text = "no text in it"
        if stored := self._stored_of[file.source]:
            kept = f"{no_text}; {stored:,} passages that it had stay until the file is deleted"
            self.outcome.unreadable.append(Unread(file.path, file.source, kept))
        elif file.path.suffix.lower() in CONVERTED:
            scan = f"{no_text}: if it was scanned, let a program recognize its text (OCR) first"
            self.outcome.unreadable.append(Unread(file.path, file.source, scan))
        else:
            # A page of headings alone may be meant so.
            self.outcome.textless.append(Unread(file.path, file.source, no_text))
        return []


def _advancing(pieces: Sequence[Piece], size: int, advance: Advance) -> Iterator[Piece]:
    """Yield the pieces of a file, and tell how many of its bytes they are when the next one is asked for."""
    for number, piece in enumerate(pieces, 1):
        yield piece
        advance(size * number // len(pieces) - size * (number - 1) // len(pieces))
    if not pieces:
        advance(size)


def _digest(text: str, metadata: dict[str, Any]) -> bytes:
    content = json.dumps([text, metadata], sort_keys=True, ensure_ascii=False)
    return sha256(content.encode()).digest()[:16]
