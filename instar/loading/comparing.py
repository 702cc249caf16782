"""A comparison: what the files of an origin say now, and what is stored of them."""

import json
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from instar.client.types import StoredDocument
from instar.loading.cutting import Cutter, Passage
from instar.loading.origin import File, Listing, Mistaken, Origin, Unread, is_below
from instar.loading.owners import LOADED_FROM, Owners
from instar.loading.piece import Piece, Unreadable
from instar.loading.reading import CONVERTED, pieces_of
from instar.loading.staying import Staying, sample

# The names of metadata that say which file a passage is of: the second one, if a row has a value of its own there.
_SOURCE, _FILE = "source", "loaded_file"
Advance = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Stored:
    """A passage that the service has: its file, a hash of the rest, and marks by which its text is known again."""

    file: str
    digest: bytes
    marks: "array[int]"

    @classmethod
    def of(cls, document: StoredDocument) -> "Stored":
        """Take what matters of a document."""
        metadata = document["metadata"]
        file = str(metadata.get(_FILE, metadata.get(_SOURCE)))
        return cls(file, _digest(document["text"], metadata), sample(document["text"]))


@dataclass
class Outcome:
    """The things that a load has done, or with `dry` would do.

    `files` counts those with a text, and `textless` are those that never had one, as `rows_without_text` of tables.
    `kept` are the ids of all passages that the files have, and `lengths` their tokens. A `repeated` id is that of an
    earlier passage of this load, or of one stored of a file that cannot be read, and a `taken` one that of another
    load, which is named; neither counts. `gone` are the ids of stored passages that no file has, unless it is one that
    could not be read.
    """

    files: int = 0
    kept: set[str] = field(default_factory=set)
    written: int = 0
    unchanged: int = 0
    removed: int = 0
    gone: list[str] = field(default_factory=list)
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
        self._unread = {one.source for one in listing.unread}
        self._origin = origin
        self._stored = stored
        self._places = {identity: place for place, identity in enumerate(stored)}
        self._places_of: dict[str, list[int]] = defaultdict(list)
        for place, one in enumerate(stored.values()):
            self._places_of[one.file].append(place)
        # Files that are stored come first, so that few passages are held until it is sure that most texts stay.
        self._files = sorted(listing.files, key=lambda file: file.source not in self._places_of)
        self._owners = owners
        self._replace = replace
        self._staying = Staying([one.marks for one in stored.values()])
        for file in self._spared():
            self._staying.keep(self._places_of[file])

    def changed(self, cutter: Cutter, advance: Advance) -> Iterator[Passage]:
        """Yield the passages that are to be sent. `advance` is told the bytes that are done.

        None comes before it is sure that most of what is stored stays. Raises Mistaken otherwise.
        """
        held: list[Passage] = []
        for passage in self._different(cutter, advance):
            held.append(passage)
            if self._is_sure():
                yield from held
                held.clear()
        self._require_most()
        kept, spared = self.outcome.kept, self._spared()
        gone = (one for one, former in self._stored.items() if one not in kept and former.file not in spared)
        self.outcome.gone.extend(gone)
        yield from held

    def _spared(self) -> set[str]:
        """The files with stored passages that cannot be read."""
        return {file for file in self._places_of if is_below(file, self._unread)}

    def _is_sure(self) -> bool:
        """Whether most of the stored texts stay, or need not. It remains sure once it is."""
        return self._replace or 2 * self._staying.count >= len(self._stored)

    def _require_most(self) -> None:
        if not self._is_sure():
            name, path, number = self._origin.name, self._origin.path, len(self._stored)
            example = list(self._stored)[self._staying.first_gone()]
            raise Mistaken(
                f"the texts of {number - self._staying.count:,} of {number:,} passages that were loaded as {name!r} are"
                f" not in {path} now, as {example}, so nothing was sent: if this is another {name!r}, give it a name of"
                " its own by --name; if they are to be removed or written over, add --replace"
            )

    def _different(self, cutter: Cutter, advance: Advance) -> Iterator[Passage]:
        # Of two files with an id, the one that is stored with it keeps it, so that the next run sends nothing.
        to_come = {file.source for file in self._files}
        waiting: dict[str, list[Passage]] = defaultdict(list)
        for file in self._files:
            to_come.discard(file.source)
            for passage in self._passages(file, cutter, advance):
                former = self._stored.get(passage.id)
                if former is not None and former.file in to_come:
                    waiting[former.file].append(passage)
                elif self._is_different(passage):
                    yield passage
            yield from filter(self._is_different, waiting.pop(file.source, ()))

    def _passages(self, file: File, cutter: Cutter, advance: Advance) -> Iterator[Passage]:
        pieces = self._pieces(file)
        identities = {piece.identity for piece in pieces if piece.identity is not None}
        for passage in cutter.passages(_advancing(pieces, file.size, advance), file.source, identities):
            # What an export has there speaks of another load.
            passage.metadata.pop(_FILE, None)
            if passage.metadata[_SOURCE] != file.source:
                passage.metadata[_FILE] = file.source
            passage.metadata[LOADED_FROM] = self._origin.name
            yield passage

    def _is_different(self, passage: Passage) -> bool:
        """Whether the service does not have the passage as it is, nor another load its id. It is noted."""
        outcome, former = self.outcome, self._stored.get(passage.id)
        is_same = former is not None and former.digest == _digest(passage.text, passage.metadata)
        if not self._is_sure():
            if is_same:
                self._staying.keep([self._places[passage.id]])
            else:
                self._staying.read(passage.text)
        if passage.id in outcome.kept or self._is_spared(passage, former):
            outcome.repeated.append(passage.id)
            return False
        owner = self._owners.of(passage.id, self._origin.name) if former is None else None
        if owner is not None and owner != self._origin.name:
            outcome.taken.append((passage.id, owner))
            return False
        outcome.kept.add(passage.id)
        outcome.lengths.append(passage.tokens)
        if is_same:
            outcome.unchanged += 1
            return False
        outcome.examples = outcome.examples or [passage]
        return True

    def _is_spared(self, passage: Passage, former: Stored | None) -> bool:
        """Whether the id stays with another file, because that cannot be read now and may have it still."""
        if former is None or former.file == passage.metadata.get(_FILE, passage.metadata[_SOURCE]):
            return False
        return is_below(former.file, self._unread)

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
            return self._spare(file, str(error))
        no_text = "no text in it"
        if file.source in self._places_of:
            stored = len(self._places_of[file.source])
            return self._spare(file, f"{no_text}; {stored:,} passages that it had stay until the file is deleted")
        if file.path.suffix.lower() in CONVERTED:
            return self._spare(file, f"{no_text}: if it was scanned, let a program recognize its text (OCR) first")
        # A page of headings alone may be meant so.
        self.outcome.textless.append(Unread(file.path, file.source, no_text))
        return []

    def _spare(self, file: File, reason: str) -> Sequence[Piece]:
        self.outcome.unreadable.append(Unread(file.path, file.source, reason))
        self._unread.add(file.source)
        self._staying.keep(self._places_of.get(file.source, ()))
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
