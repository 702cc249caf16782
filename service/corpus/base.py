"""The seam of the corpus: the types that it holds, and the Protocols that each store of it implements.

Rooms above import this module and no store; `tests/contract/store/` holds each store to it. Each version of a
document has its own sequence number, which grows with each write. An upsert adds a version and marks the former one
dead; a delete marks it dead. Dead versions stay readable until they are purged, so that a search that began before the
write can still fetch what it found. Writes come from one thread at a time, reads from any. A change is one transaction,
durable when the method returns. Methods raise InsufficientResources if the disk is full, StorageFailed if it fails.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from service.corpus import judgements
from service.corpus.balance import Balance
from service.corpus.facets import Facets
from service.corpus.filters import Condition, Filter
from service.corpus.judgements import Judgements

DEFAULT_COLLECTION = judgements.DEFAULT_COLLECTION

Seqs = NDArray[np.int64]
# A part [start, end) of a text, in characters.
Span = tuple[int, int]
State = Literal["active", "retained", "released"]


@dataclass(frozen=True, slots=True)
class Document:
    """One chunk of text with an id, metadata and a collection."""

    id: str
    text: str
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Version:
    """A document as one write left it."""

    seq: int
    document: Document


@dataclass(frozen=True, slots=True)
class Change:
    """The effect of one write on a collection: versions that are added and versions that die, ascending.

    `before` is the highest sequence number before the write. A store that several processes write has a log, and
    `position` is the place of the change there, and `mark` tells it from another one that had the same place before the
    store lost it. Neither says what the change is, so changes compare without them.
    """

    collection: str
    before: int
    added: tuple[int, ...]
    died: tuple[int, ...]
    position: int = field(default=0, compare=False)
    mark: str = field(default="", compare=False)

    @property
    def last(self) -> int:
        """The highest sequence number after the write."""
        return self.added[-1] if self.added else self.before

    @property
    def of_generations(self) -> bool:
        """Whether no document has changed, but the set of generations or the reranker."""
        return not self.collection


# Called before a commit, to do all that can fail outside the corpus. It prevents the commit by raising.
Prepare = Callable[[Change], None]


class GenerationRecord(BaseModel):
    """The durable record of a generation."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    number: int = Field(0, serialization_alias="generation", description="its number")
    model: str = Field(description="id of its checkpoint")
    fingerprint: str = Field(description="hash of all that decides a document's vector")
    dimensions: int = Field(description="dimensions of its vectors")
    documents: int = Field(0, description="documents in its index; of a released one, when it was last activated")
    recall: dict[str, float] = Field(
        {}, description="recall@10 against exact search, by collection, measured when the index was built"
    )
    weights: dict[str, Balance] = Field(
        {}, description="weights of the parts of a hybrid search, by collection; others have the default"
    )
    built: datetime = Field(description="when it was built")
    activated: datetime | None = Field(None, description="when it became active last; null: never")
    activated_by: str | None = Field(
        None, description="name of the key that asked for that; null: none was needed, or it was the first start"
    )
    warnings: list[str] = Field([], description="what operators should know of it, a sentence each")
    state: State = Field(
        "retained",
        description="active: it answers; retained: it can answer, unless the start has left it out; released: it is"
        " gone",
    )
    activation: int = Field(0, description="grows with every activation, and orders them")


class Documents(Facets, Protocol):
    """The documents of all collections.

    Each write calls `prepare` before it is committed. If `prepare` raises, nothing has changed, and the next write gets
    the same sequence numbers.
    """

    def put(self, collection: str, documents: Sequence[Document], prepare: Prepare) -> Change:
        """Upsert by id. The last of several documents with one id stays."""

    def delete(self, collection: str, ids: Sequence[str], prepare: Prepare) -> Change:
        """Delete by id. Unknown ids are passed over."""

    def delete_matching(self, collection: str, tree: Filter, prepare: Prepare) -> Change:
        """Delete the documents that pass the filter."""

    def delete_versions(self, collection: str, seqs: Sequence[int], prepare: Prepare) -> Change:
        """Delete by sequence number. Unknown, dead and other collections' versions are passed over."""

    def delete_collection(self, collection: str, prepare: Prepare) -> Change:
        """Delete all documents of the collection."""

    def get(self, collection: str, identity: str) -> Version | None: ...
    def current(self, collection: str, ids: Sequence[str]) -> dict[str, Version]:
        """Return documents by id, without the unknown ones."""

    def seqs_of(self, collection: str, ids: Sequence[str]) -> dict[str, int]:
        """Return sequence numbers by id, without the unknown ones."""

    def with_text(self, texts: Sequence[str]) -> dict[str, list[int]]:
        """Return, by text, sequence numbers of some versions that have it, dead ones included, in any collection."""

    def page(self, collection: str, after: int, limit: int) -> list[Version]:
        """Return up to `limit` documents with a sequence number above `after`, ascending."""

    def fetch(self, seqs: Sequence[int]) -> dict[int, Document]:
        """Return versions by sequence number, dead ones included, without the unknown and purged ones."""

    def meeting(self, collection: str, condition: Condition, after: int = 0) -> Seqs:
        """Return the versions above `after` that meet the condition, dead ones included, ascending."""

    def passing(self, collection: str, tree: Filter) -> Seqs:
        """Return the documents of the collection that pass the filter, ascending."""

    def sample(self, count: int) -> list[str]:
        """Return texts of up to `count` documents, evenly from the first to the last write, always the same ones."""

    def live_in(self, collection: str) -> Seqs: ...
    def live(self, after: int = 0) -> dict[str, Seqs]:
        """Return the documents above `after`, by collection, ascending, as of one moment."""

    def count_after(self, collection: str, seq: int) -> int: ...
    def collections(self) -> dict[str, int]:
        """Count the documents of each collection that has any, by its name, in the order of names."""

    def last_written(self) -> dict[str, datetime | None]:
        """Return when each collection that has documents was last written to, by its name.

        A document was added, replaced or deleted then. None: not since an earlier version, which did not note it.
        """

    def last_seq(self) -> int:
        """Return the highest sequence number that was given, 0 before the first."""

    def reserve(self, seq: int) -> int:
        """Give new versions numbers above `seq` only. Returns the highest number that had been given before."""

    def dead_of(self, collection: str) -> list[int]: ...
    def dead(self, limit: int) -> list[int]:
        """Return up to `limit` dead versions of any collection, ascending."""

    def purge(self, seqs: Sequence[int]) -> None:
        """Remove dead versions for good, with everything that could find them. Live ones are passed over."""


class Records(Protocol):
    """The durable records of generations and jobs, and notes."""

    def activate(
        self, record: GenerationRecord, retain: int, prepare: Callable[[], None] = lambda: None
    ) -> GenerationRecord:
        """Make `record` active. One with the number 0 is new, and gets the next number.

        `prepare` is called when nobody else can write any more. If it raises, nothing has changed.
        Up to `retain` former ones are retained, the latest activated first. Older ones are released.
        """

    def now(self) -> datetime:
        """Return the moment by the clock of the store, which all processes share that write to it."""

    def next_number(self) -> int:
        """Return the number of the next new generation."""

    def save_weights(self, number: int, weights: Mapping[str, Balance]) -> None:
        """Replace the weights of a generation; an unknown number is passed over."""

    def release(self, number: int) -> None:
        """Mark a generation as released if it is retained."""

    def wait_for_changes(self) -> None:
        """Return when every change of a generation or reranker that has begun is made or undone.

        That holds for one whose caller lost it, too.
        """

    def generations(self) -> list[GenerationRecord]:
        """Return all generations ever, the latest activation first."""

    def note(self, name: str) -> str | None: ...
    def save_note(self, name: str, value: str | None) -> None:
        """Replace the note of that name; None removes it."""

    def announce(self, name: str, value: str) -> None:
        """Replace a note of which every process must know, and log that as a change of the generations.

        Raises NotLeader if another process leads.
        """

    def notes(self, beginning: str) -> dict[str, str]:
        """Return the notes whose names begin with `beginning`, by the rest of the name."""

    def job(self, identity: str) -> str | None: ...
    def save_job(self, identity: str, state: str, record: str) -> None:
        """Replace the record of a job, a JSON object with its time `created`."""

    def latest_jobs(self, limit: int) -> list[str]:
        """Return the records of the jobs that were created last, the newest first."""

    def unfinished_jobs(self) -> list[str]:
        """Return the records of jobs whose state is `queued` or `running`."""


class ChangeLog(Protocol):
    """The changes of a corpus that several processes write, in the order of their commits.

    A write waits for its turn among all processes. Positions grow by one with each change.
    """

    def position(self) -> int:
        """Return the position of the last change, 0 before the first."""

    def mark(self, position: int) -> str | None:
        """Return the mark of the change at the position; None if the log does not have it."""

    def changes_after(self, position: int, limit: int) -> list[Change]:
        """Return up to `limit` changes after the position, in their order.

        If the first of them does not come right after the position, those between were trimmed.
        """

    def trim(self, position: int) -> None:
        """Forget the changes up to the position, except for the last of all, by which others see that some are gone."""

    def wait(self, seconds: float) -> None:
        """Return when somebody tells of a change, or after so many seconds."""

    def on_turn(self, hear: Callable[[], None], require: Callable[[], None]) -> None:
        """From now on, call `hear` while a write waits for its turn, and when that has come, before it is written.

        The log has no change then that is not committed, and none is added until this process has written. Before
        documents or generations are changed, `require` is called as well. If one of them raises, nothing is written.
        """


class CorpusStore(Protocol):
    """The whole corpus: documents, records and judgements, in one place."""

    @property
    def documents(self) -> Documents: ...
    @property
    def records(self) -> Records: ...
    @property
    def judgements(self) -> Judgements: ...

    def close(self) -> None: ...
    def size(self) -> int:
        """Return the bytes that a backup takes."""

    def erase_removed(self) -> None:
        """Leave no trace in the files of judgements and jobs that were removed or replaced.

        Raises StorageFailed if somebody reads the files for too long.
        """

    def backup(self, target: Path) -> list[GenerationRecord]:
        """Write one moment of the corpus to the new file `target`, and return its generations. Writers go on.

        Raises Conflict if the store is backed up by tools of its own.
        """
