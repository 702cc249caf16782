"""The pages of a search, put together, have each document once, however far down they reach."""

from typing import Any

import pytest

from service.search.grouping import GroupSpec
from service.search.pages import DEPTH
from service.search.retrieval import Mode
from tests.unit.search.test_groups_and_facets import MODES, Collection

DOCUMENTS, REACH, PAGE = 900, 1000, 30


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Documents of two to a source."""
    folder = tmp_path_factory.mktemp("pages")
    return Collection(folder, [{"source": f"s{number % (DOCUMENTS // 2)}"} for number in range(DOCUMENTS)])


def pages(collection: Collection, mode: Mode, **spec: Any) -> list[tuple[int, float]]:
    """All results, a page after the other."""
    results: list[tuple[int, float]] = []
    while page := collection.rank(mode, k=PAGE, offset=len(results), reach=REACH, **spec).scored:
        results += page
        if len(page) < PAGE:
            break
    return results


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"fusion": "rank"},
        {"diversity": 0.5},
        {"groups": GroupSpec("source", 2)},
        {"groups": GroupSpec("source", 1)},
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", MODES)
def test_pages_put_together_are_the_whole(collection: Collection, mode: Mode, spec: dict[str, Any]) -> None:
    results = pages(collection, mode, **spec)
    seqs = [seq for seq, _ in results]
    assert len(set(seqs)) == len(seqs)
    sources = {collection.metadata[seq]["source"] for seq, _ in collection.rank(mode, k=DOCUMENTS).scored}
    if spec.get("groups") == GroupSpec("source", 1):
        assert {collection.metadata[seq]["source"] for seq in seqs} == sources
    else:
        assert set(seqs) == {seq for seq, _ in collection.rank(mode, k=DOCUMENTS).scored}
    # One page of them all is no other list.
    assert results == collection.rank(mode, k=len(results), reach=REACH, **spec).scored
    if not spec.get("diversity"):
        assert [score for _, score in results] == sorted((score for _, score in results), reverse=True)


@pytest.mark.parametrize("mode", MODES)
def test_the_first_results_do_not_depend_on_how_far_pages_may_reach(collection: Collection, mode: Mode) -> None:
    first = collection.rank(mode, k=DEPTH).scored
    assert first == collection.rank(mode, k=DEPTH, reach=REACH).scored
    assert first == collection.rank(mode, k=DOCUMENTS, reach=REACH).scored[:DEPTH]


def test_a_rank_of_a_hybrid_search_is_the_place_on_its_pages(collection: Collection) -> None:
    results = pages(collection, "hybrid")
    wanted = tuple(seq for seq, _ in results)
    for k in (10, 150):
        standings = collection.rank("hybrid", k=k, reach=REACH, standing_of=wanted).standings
        assert [(standings[seq].rank, standings[seq].score) for seq in wanted] == [
            (rank, score) for rank, (_, score) in enumerate(results, 1)
        ]


def test_a_least_score_ends_the_pages_where_they_fall_below_it(collection: Collection) -> None:
    results = pages(collection, "hybrid")
    for place in (40, 250):
        least = results[place][1]
        assert pages(collection, "hybrid", min_score=least) == [each for each in results if each[1] >= least]
