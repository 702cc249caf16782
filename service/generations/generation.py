"""A generation: an encoder and the index built with it, as one.

A request takes a reference to its generation once, at its start, and uses nothing else. Activation replaces the
reference. A released generation stays whole until the last request that holds it has ended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from service.corpus.balance import Balance
from service.corpus.base import GenerationRecord
from service.index.base import VectorIndex
from service.models.base import ServedModel


@dataclass(frozen=True, eq=False)
class Generation:
    """One encoder and the index of its document fingerprint.

    Two generations with the same document fingerprint share the index.
    """

    record: GenerationRecord
    encoder: ServedModel
    index: VectorIndex

    @property
    def number(self) -> int:
        return self.record.number

    @property
    def model(self) -> str:
        """The checkpoint's id."""
        return self.encoder.checkpoint.id

    def with_number(self, number: int) -> "Generation":
        """This generation with `number` in its record."""
        return replace(self, record=self.record.model_copy(update={"number": number}))

    def in_place_of(self, former: GenerationRecord) -> "Generation":
        """This generation with the number of a former one, and the time at which that was built."""
        return replace(self, record=self.record.model_copy(update={"number": former.number, "built": former.built}))

    def with_weights(self, weights: Mapping[str, Balance]) -> "Generation":
        """This generation with the `weights` of each collection in its record."""
        return replace(self, record=self.record.model_copy(update={"weights": dict(weights)}))

    def with_warnings(self, warnings: Sequence[str]) -> "Generation":
        """This generation with `warnings` in its record."""
        return replace(self, record=self.record.model_copy(update={"warnings": list(warnings)}))
