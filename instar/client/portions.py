"""Many documents in portions, each of which a service writes as a whole or refuses.

A refused portion comes again in halves, until the document at fault is alone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from instar.client.errors import Refused
from instar.client.json_faults import require_json
from instar.client.types import NewDocument, WriteAnswer

# Documents and characters of a portion: neither side holds many of them, and no answer is long in coming.
MOST, _CHARACTERS = 128, 250_000
# The portion is too large, a document is not as the contract wants it, or the model gives no vector for it.
_AT_FAULT = frozenset({413, 422, 424})
_T = TypeVar("_T")

Progress = Callable[[WriteAnswer], object]
Refusal = Callable[[NewDocument, Refused], object]


@dataclass(slots=True)
class Counts:
    """The documents that a service has written, had already as they are, and has refused."""

    written: int = 0
    unchanged: int = 0
    refused: int = 0


class Portions:
    """The portions that are still to be written, in the order of the documents, and counts of those that were."""

    def __init__(self, documents: Iterable[NewDocument], progress: Progress | None, refused: Refusal | None) -> None:
        """`progress` gets each answer. `refused` gets each document that is not taken; None: it ends the writing.

        Raises Unsendable for a document of a list that would end it because it is no JSON, while none is written.
        """
        if refused is None and isinstance(documents, Sequence):
            for document in documents:
                require_json(document, f"{_named(document)} cannot be sent, and none was")
        self.counts = Counts()
        self._following = _cut(documents)
        self._halves: list[list[NewDocument]] = []
        self._progress = progress
        self._refused = refused

    def __iter__(self) -> Iterator[list[NewDocument]]:
        return self

    def __next__(self) -> list[NewDocument]:
        return self._halves.pop() if self._halves else next(self._following)

    def succeed(self, answer: WriteAnswer) -> None:
        """Count a portion that was written."""
        self.counts.written += answer["written"]
        self.counts.unchanged += answer["unchanged"]
        if self._progress is not None:
            self._progress(answer)

    def fail(self, portion: list[NewDocument], error: Refused) -> None:
        """Take a portion that was refused. Raises Refused if no document is at fault, or nobody wants to hear of it."""
        if error.status not in _AT_FAULT or not (error.param or "documents").startswith("documents"):
            raise error
        if len(portion) > 1:
            middle = len(portion) // 2
            self._halves += [portion[middle:], portion[:middle]]
            return
        (document,) = portion
        if self._refused is None:
            raise type(error)(
                f"{_named(document)} was refused, and those after it were not sent: {error}", error.status, error.body
            )
        self.counts.refused += 1
        self._refused(document, error)


def _named(document: NewDocument) -> str:
    return f"the document {document.get('id') or str(document.get('text'))[:40]!r}"


def batched(items: Iterable[_T], most: int) -> Iterator[list[_T]]:
    """Yield the items in lists of at most `most`, as `itertools.batched` of Python 3.12 does."""
    iterator = iter(items)
    while batch := list(islice(iterator, most)):
        yield batch


def _cut(documents: Iterable[NewDocument]) -> Iterator[list[NewDocument]]:
    portion: list[NewDocument] = []
    characters = 0
    for document in documents:
        length = len(str(document.get("text")))
        if portion and (len(portion) == MOST or characters + length > _CHARACTERS):
            yield portion
            portion, characters = [], 0
        portion.append(document)
        characters += length
    if portion:
        yield portion
