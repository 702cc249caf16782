"""The seam of the corpus: the types that it holds."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from service.corpus.words import Phrase

DEFAULT_COLLECTION = "default"
FILE = "corpus.db"

Seqs = NDArray[np.int64]
State = Literal["active", "retained", "released"]
Span = tuple[int, int]
# A judgement's collection, query and document.
Key = tuple[str, str, str]


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

    `before` is the highest sequence number there was.
    """

    collection: str
    before: int
    added: tuple[int, ...]
    died: tuple[int, ...]


Prepare = Callable[[Change], None]


@dataclass(frozen=True, slots=True)
class Lookup:
    """The phrases that a query looks up, and the most that a text could score for it."""

    phrases: tuple[Phrase, ...]
    most: float


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
    built: datetime = Field(description="when it was built")
    activated: datetime | None = Field(None, description="when it became active last; null: never")
    activated_by: str | None = Field(
        None, description="name of the key that had it activated; null: none was needed, or it was the first start"
    )
    warnings: list[str] = Field([], description="what somebody should know of it, each as a sentence")
    state: State = Field("retained", description="active: it answers; retained: it can again; released: it is gone")
    activation: int = Field(0, description="grows with every activation, and orders them")


class Judgement(BaseModel):
    """One document judged for one query."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field(min_length=1, description="the question, as it is searched")
    document: str = Field(min_length=1, description="id of the document; it may come to the corpus later")
    good: StrictBool = Field(description="whether the document answers the question")
    collection: str = Field(DEFAULT_COLLECTION, min_length=1, max_length=128, description="the document's collection")
    provenance: str | None = Field(None, max_length=1000, description="where the judgement comes from, for people")

    @property
    def key(self) -> Key:
        return self.collection, self.query, self.document


@dataclass(frozen=True, slots=True)
class Which:
    """Conditions on judgements; None is any. An unresolved one is of a document that is not in the corpus."""

    collection: str | None = None
    query: str | None = None
    document: str | None = None
    unresolved: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The effect of a change of judgements.

    There are `judgements` and judged `queries` now. `added` were new, `changed` said something else before, `removed`
    are gone. Of the judgements that were sent, `unresolved` are of documents that are not in the corpus.
    """

    judgements: int
    queries: int
    added: int
    changed: int
    removed: int
    unresolved: int
