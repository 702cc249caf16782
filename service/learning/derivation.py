"""A derivation in a process of its own: a long one would take the interpreter, and searches would wait for it.

That process has the lowest priority, and its memory goes with it. It says each judgement as a line.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import nlargest

import orjson

from service.corpus.judgements import Judgement
from service.errors import StorageFailed
from service.learning.base import Derived, FeedbackStore
from service.learning.derive import derive
from service.machine.children import ChildLost, Children, Limits, Say
from service.observability.observer import Observer

# A million events and as many impressions took 270 MB.
_MEMORY = 8 << 30
_SECONDS = 3600.0


@dataclass(frozen=True)
class Derivation:
    """Derives from all that is stored now, and says up to `most` judgements, those of the greatest weight.

    Picklable, if the store is.
    """

    store: FeedbackStore
    most: int

    def __call__(self, say: Say, observer: Observer) -> None:  # noqa: ARG002
        """Say one judgement after the other, as JSON."""
        for one in heaviest(derive(self.store.events(), self.store.impressions()), self.most):
            say(orjson.dumps(one).decode())


def heaviest(derived: Iterable[Derived], most: int) -> list[Derived]:
    """Return the `most` of the greatest weight that can be judgements."""
    # The cursors of pages separate the parts of a key by U+0000, which no request may have in a judgement.
    usable = (one for one in derived if "\0" not in one.query + one.document)
    return nlargest(most, usable, key=lambda one: one.weight)


def derived_in(children: Children, derivation: Derivation, given_up: Callable[[], bool]) -> list[Judgement]:
    """Return the judgements that a child has derived.

    Raises StorageFailed if the events cannot be read or the child is lost, and GivenUp.
    """
    judgements: list[Judgement] = []

    def take(line: str) -> None:
        judgements.append(Judgement(**orjson.loads(line)))

    try:
        children.run(derivation, Limits(_MEMORY, _SECONDS, idle=True, given_up=given_up), take)
    except ChildLost as error:
        raise StorageFailed(f"judgements could not be derived: {error}") from error
    return judgements
