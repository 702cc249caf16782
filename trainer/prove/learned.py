"""The questions that a package has learned from, as far as its manifest says.

A manifest has the digest of the data with its splits, and no text of it. So it says which questions were trained on
only if the same data is at hand: then dividing that again as the run did gives the same digest.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from service.checkpoints.manifest import Manifest
from trainer.data.dataset import Dataset
from trainer.errors import BadData
from trainer.prepare import folds, splits
from trainer.recipe import Recipe

Doubt = Literal["", "data", "base"]


@dataclass(frozen=True)
class Learned:
    """A count of the tested questions that models have learned from. None: nobody knows, for the reason `doubt`, if a
    manifest names any data."""

    count: int | None
    doubt: Doubt = ""

    @property
    def taught(self) -> bool:
        """Whether the model has learned from a tested question, or perhaps has."""
        return bool(self.count or self.doubt)


def learned(manifests: Sequence[Manifest | None], same: Sequence[Dataset], tested: AbstractSet[str]) -> Learned:
    """Look which of the `tested` questions any of these packages has learned from. `same` is as in `learned_from`."""
    known, doubts, unknown = set[str](), list[Doubt](), False
    for manifest in manifests:
        names = None if manifest is None else learned_from(manifest, same)
        known |= (names or frozenset()) & tested
        doubts.append(doubt(manifest, None if names is None else len(names & tested)))
        unknown = unknown or names is None
    if known:
        return Learned(len(known))
    why: Doubt = next((reason for reason in doubts if reason), "")
    return Learned(None if why or unknown else 0, why)


def learned_from(manifest: Manifest, same: Sequence[Dataset]) -> frozenset[str] | None:
    """The queries that train the package or choose among its weights; None if it was made from none of these data sets.

    `same` are readings of one data set before it was split.
    """
    data, settings = manifest.lineage.get("data"), manifest.lineage.get("recipe")
    if not isinstance(data, dict) or not isinstance(settings, dict):
        return None
    known = {name: value for name, value in settings.items() if name in Recipe.model_fields}
    try:
        recipe = Recipe.model_validate(known)
    except ValueError:
        # A later version has made it.
        return None
    for dataset in same:
        for divided in _divisions(dataset, recipe):
            if divided.digest == data.get("digest"):
                return frozenset(query for query, split in divided.splits.items() if split != "test")
    return None


def doubt(manifest: Manifest | None, learned: int | None) -> Doubt:
    """The reason why nobody knows whether the package has learned from a question; empty if that is known, or if no
    manifest names its data. By this data, it has learned from `learned` of them."""
    if manifest is None:
        return ""
    if learned is None:
        return "data" if manifest.lineage.get("data") else ""
    base = manifest.lineage.get("base")
    # What the base has learned from may have any question.
    return "base" if not learned and isinstance(base, dict) and base.get("learned") else ""


def _divisions(dataset: Dataset, recipe: Recipe) -> Iterator[Dataset]:
    """The data as a run with this recipe divides it for the package: on one split, and in folds."""
    with suppress(BadData):
        yield splits.split(dataset, recipe.split, recipe.seed)[0]
    with suppress(BadData):
        yield folds.whole(dataset, recipe.split, recipe.seed)
