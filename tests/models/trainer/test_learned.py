"""The questions that a package has learned from: known where the same data is at hand, and else not claimed."""

from typing import Any

import pytest

from service.checkpoints.manifest import Manifest
from tests.support import judged
from trainer.data.dataset import Dataset, Judgement
from trainer.prepare import folds, splits
from trainer.prove.learned import Learned, doubt, learned, learned_from
from trainer.recipe import Recipe

WHOLE = judged.dataset().with_splits({})
RECIPE = Recipe(seed=5)
BY_QUERY = Recipe(seed=5, split="by-query")


def manifest(divided: Dataset, recipe: Recipe = RECIPE) -> Manifest:
    lineage: dict[str, Any] = {"data": {"digest": divided.digest}, "recipe": recipe.facts()}
    return Manifest(name="tuned", files={}, lineage=lineage)


@pytest.mark.parametrize("recipe", [RECIPE, BY_QUERY])
def test_a_package_of_folds_has_learned_from_every_question(recipe: Recipe) -> None:
    packaged = manifest(folds.whole(WHOLE, recipe.split, recipe.seed), recipe)
    assert learned_from(packaged, [WHOLE]) == frozenset(WHOLE.good())


@pytest.mark.parametrize("recipe", [RECIPE, BY_QUERY])
def test_a_package_of_one_split_has_learned_from_all_but_its_test(recipe: Recipe) -> None:
    divided, _ = splits.split(WHOLE, recipe.split, recipe.seed)
    learned = learned_from(manifest(divided, recipe), [WHOLE])
    assert learned == frozenset(WHOLE.good()) - set(divided.good("test"))
    assert divided.good("test")


def test_any_reading_of_the_data_may_be_that_of_the_run() -> None:
    query, document = next(iter(WHOLE.queries)), next(iter(WHOLE.corpus))
    more = Dataset(WHOLE.queries, WHOLE.corpus, (*WHOLE.judgements, Judgement(query, document, False)))
    packaged = manifest(folds.whole(more, RECIPE.split, RECIPE.seed))
    assert learned_from(packaged, [WHOLE]) is None
    assert learned_from(packaged, [WHOLE, more]) == frozenset(WHOLE.good())


def test_other_data_and_a_base_that_had_learned_are_doubts_and_what_is_known_is_none() -> None:
    packaged = manifest(folds.whole(WHOLE, RECIPE.split, RECIPE.seed))
    assert doubt(packaged, None) == "data"
    assert doubt(packaged, 0) == ""
    on_a_package = packaged.model_copy(update={"lineage": packaged.lineage | {"base": {"id": "v1", "learned": True}}})
    assert doubt(on_a_package, 0) == "base"
    assert doubt(on_a_package, 3) == ""
    assert doubt(Manifest(name="unproven", files={}), None) == ""


@pytest.mark.parametrize("lineage", [{}, {"data": {"digest": "x"}}, {"data": {}, "recipe": {"seed": "later"}}])
def test_of_a_manifest_that_names_no_data_nothing_is_known(lineage: dict[str, Any]) -> None:
    assert learned_from(Manifest(name="tuned", files={}, lineage=lineage), [WHOLE]) is None


def test_models_together_have_learned_from_what_any_has_and_one_doubt_is_a_doubt() -> None:
    divided, _ = splits.split(WHOLE, RECIPE.split, RECIPE.seed)
    every, of_split = manifest(folds.whole(WHOLE, RECIPE.split, RECIPE.seed)), manifest(divided)
    of_other = Manifest(name="other", files={}, lineage={"data": {"digest": "x"}, "recipe": RECIPE.facts()})
    tested = divided.good("test").keys()
    assert learned([of_split], [WHOLE], tested) == Learned(0)
    assert learned([of_split, every], [WHOLE], tested) == Learned(len(tested))
    assert learned([every, of_other], [WHOLE], tested) == Learned(len(tested))
    assert learned([of_split, of_other], [WHOLE], tested) == Learned(None, "data")
    assert learned([of_split, None], [WHOLE], tested) == Learned(None)
    assert [one.taught for one in (Learned(0), Learned(None), Learned(2), Learned(None, "base"))] == [False] * 2 + [
        True
    ] * 2
