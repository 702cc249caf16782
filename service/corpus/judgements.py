"""The seam of judgements: which documents are good answers to which queries, who says so, and of which text.

All that was said of a pair of query and document is kept. Readers take one verdict of a pair (`learning/verdicts.py`).
A judgement belongs to the text that its document had, known by a hash. Where the document has another text now, the
judgement is stale and counts nowhere until it is sent again. A sequence number would say the same of a document whose
metadata alone has changed, and that has not become another answer. A judgement of a document that is not there yet
belongs to the first text that the document gets.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, StrictBool

DEFAULT_COLLECTION = "default"

Source = Literal["person", "sent", "feedback", "click", "generated"]
Side = Literal["train", "judge"]
# The collection, query and document of a judgement.
Pair = tuple[str, str, str]
# A judgement's collection, query, document, source and voice, in whose order judgements are listed.
Key = tuple[str, str, str, str, str]

# Derived from events, which are there to derive them from again.
DERIVED: frozenset[Source] = frozenset({"feedback", "click"})
# What a request can send.
STATED: tuple[Source, ...] = ("person", "sent", "generated")
SENT: frozenset[Source] = frozenset({"sent"})


class Judgement(BaseModel):
    """One document judged for one query."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field(min_length=1, description="the question, as it is searched")
    document: str = Field(min_length=1, description="id of the document, which may be written later")
    good: StrictBool = Field(description="whether the document answers the question")
    collection: str = Field(DEFAULT_COLLECTION, min_length=1, max_length=128, description="the document's collection")
    provenance: str | None = Field(None, max_length=1000, description="where the judgement comes from, for people")
    source: Source = Field(
        "sent",
        description="person: somebody judged it; sent: it was sent, as by `trainer send`; feedback, click: derived from"
        " what users did; generated: a model made it",
    )
    by: str | None = Field(
        None, min_length=1, max_length=128, description="who judged; if left out, the name of the key that sent it"
    )
    at: datetime | None = Field(
        None, description="when; if left out, the moment at which it was stored; null: stored before that was noted"
    )
    weight: float = Field(1.0, gt=0, le=1, strict=True, description="how sure it is; a person's own word is 1")
    side: Side | None = Field(
        None,
        description="train: it may be trained on; judge: reloads are judged by it; null: neither, because the query"
        " would connect the two. In a request, the side of a query that nothing connects to an earlier one",
    )
    stale: bool = Field(
        False, description="the document has had another text since, so this counts nowhere until it is sent again"
    )

    @property
    def pair(self) -> Pair:
        """Collection, query and document."""
        return self.collection, self.query, self.document

    @property
    def key(self) -> Key:
        """The key under which a later judgement takes the place of this one. People have a voice each."""
        return *self.pair, self.source, (self.by or "") if self.source == "person" else ""

    def says_like(self, other: "Judgement") -> bool:
        """Whether both say the same thing, whenever that was and whoever sent it."""
        return (self.good, self.provenance, self.weight) == (other.good, other.provenance, other.weight)


@dataclass(frozen=True, slots=True)
class JudgementFilter:
    """Conditions on judgements; None matches any. `unresolved`: only those whose document is not in the corpus.

    `since` is a time with its zone, which the judgement is not older than.
    """

    collection: str | None = None
    query: str | None = None
    document: str | None = None
    unresolved: bool = False
    sources: frozenset[Source] | None = None
    side: Side | None = None
    stale: bool | None = None
    by: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The judgements and judged queries that there are after a change, and how many judgements it added, changed and
    removed. `unresolved` counts those of the request whose document is not in the corpus, `judging` all queries of the
    side judge."""

    judgements: int
    queries: int
    judging: int
    added: int
    changed: int
    removed: int
    unresolved: int


@dataclass(frozen=True, slots=True)
class JudgedCounts:
    """The queries that somebody or something has judged, and those of the side judge among them."""

    queries: int
    judging: int


ANY = JudgementFilter()


class Judgements(Protocol):
    """All judgements: of people, of files that were sent, and of what users did.

    A query gets its side when it is judged first, and keeps it for ever (`corpus/sides.py`).
    """

    def add(self, judgements: Sequence[Judgement], collection: str | None = None) -> Outcome:
        """Add judgements. Each takes the place of a former one with its key, and is of the document's present text.

        Raises InvalidRequest if `collection` has none of the documents, TooLarge if there would be too many judgements
        that were derived, or too many others.
        """

    def replace(
        self, judgements: Sequence[Judgement], collection: str | None = None, sources: Set[Source] = SENT
    ) -> Outcome:
        """Put judgements in place of all those of the sources, or of those of them in `collection`. Raises like `add`.

        A derived one that was there before goes on to belong to the text that it belonged to.
        """

    def remove(self, conditions: JudgementFilter) -> int:
        """Remove the judgements that meet all conditions. Returns how many there were."""

    def discard(self, keys: Sequence[Key]) -> int:
        """Remove the judgements with these keys. Returns how many there were."""

    def all(self, conditions: JudgementFilter = ANY) -> list[Judgement]:
        """Return all judgements that meet all conditions, in the order of their keys."""

    def page(self, conditions: JudgementFilter, after: Key | None, limit: int) -> list[Judgement]:
        """Return up to `limit` judgements that meet all conditions and have a key above `after`, in order of keys."""

    def side_of(self, query: str) -> Side | None:
        """Return the side that a query in these words has got; None: it was never judged."""

    def counts(self, conditions: JudgementFilter = ANY) -> tuple[int, int]:
        """Count the judgements that meet all conditions, and those among them that are unresolved."""

    def judged(self) -> JudgedCounts:
        """Count the judged queries. As long as nothing changes, they are counted once."""

    def disputed(self, collection: str | None, limit: int) -> list[Pair]:
        """Return up to `limit` pairs that as many people call good as bad, those with the latest word first.

        Stale judgements do not count, nor do those of documents that are not there. None: pairs of all collections.
        """

    def revision(self) -> int:
        """Return a number that grows with each change, as long as the process lives."""
