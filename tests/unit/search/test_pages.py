"""The pages of a search, put together, have each document once, however far down they reach."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from service.index.faiss import index as faiss_index
from service.index.faiss.factory import FaissIndexes
from service.index.vector_folder import VectorFolder
from service.search.grouping import GroupSpec
from service.search.pages import DEPTH
from service.search.retrieval import Mode, Retrieval, SearchSpec
from tests.unit.search.test_groups_and_facets import MODES, Collection, unit

DOCUMENTS, REACH, PAGE = 900, 1000, 30


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Documents of two to a source."""
    folder = tmp_path_factory.mktemp("pages")
    return Collection(folder, [{"source": f"s{number % (DOCUMENTS // 2)}"} for number in range(DOCUMENTS)])


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Documents in a graph, which a search further down walks through differently."""
    folder = tmp_path_factory.mktemp("graph")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(faiss_index, "SEAL_FROM", 64)
        indexes = FaissIndexes(VectorFolder(folder / "vectors"), folder / "graphs", graph_from=100, min_recall=0.5)
        return Collection(folder, [{}] * 1500, indexes, 64)


def pages(
    collection: Collection, mode: Mode, *, k: int = PAGE, end: int = DOCUMENTS, **spec: Any
) -> list[tuple[int, float]]:
    """The results up to `end`, a page after the other."""
    results: list[tuple[int, float]] = []
    while page := collection.rank(mode, k=k, offset=len(results), reach=REACH, **spec).scored:
        results += page
        if len(page) < k or len(results) >= end:
            break
    return results


def questions(collection: Collection) -> Iterator[Collection]:
    """The collection with one query after the other."""
    random = np.random.default_rng(0)
    for _ in range(20):
        collection.query = unit(random.normal(size=collection.query.shape))
        yield collection


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
def test_pages_over_a_graph_have_each_document_once(graph: Collection, mode: Mode) -> None:
    for asked in questions(graph):
        results = pages(asked, mode, k=10, end=300)
        assert len({seq for seq, _ in results}) == len(results) == 300
        assert [score for _, score in results] == sorted((score for _, score in results), reverse=True)


@pytest.mark.parametrize("mode", MODES)
def test_several_pages_at_once_are_those_pages(graph: Collection, mode: Mode) -> None:
    for asked in questions(graph):
        results = pages(asked, mode, k=50, end=300)
        for k in (50, 100, 300):
            assert asked.rank(mode, k=k, page=50, reach=REACH).scored == results[:k]


def test_the_first_page_by_vector_looks_no_further_down_than_it_has_to(collection: Collection) -> None:
    looked: list[int] = []
    view = collection.index.view("default")

    class Looked:
        """The collection's view, which notes how far down it is looked at."""

        def __getattr__(self, name: str) -> Any:
            return getattr(view, name)

        def search(self, queries: Any, k: int, allowed: Any) -> Any:
            looked.append(k)
            return view.search(queries, k, allowed)

    views: Any = SimpleNamespace(view=lambda _: Looked())
    retrieval = Retrieval(collection.keywords, collection.store.documents)

    def depths_of(**spec: Any) -> list[int]:
        looked.clear()
        retrieval.rank(views, ["q"], collection.query, SearchSpec(collection="default", reach=REACH, **spec))
        return list(looked)

    assert depths_of(k=10) == [10]
    assert depths_of(k=150) == [150]
    assert depths_of(k=10, offset=10) == depths_of(k=10, offset=90) == [10, DEPTH]
    assert depths_of(k=10, offset=100) == depths_of(k=10, offset=990) == [10, DEPTH, REACH]
    assert depths_of(k=150, offset=150) == [150, REACH]
    assert depths_of(k=100, page=50) == [50, DEPTH]
    assert depths_of(k=10, offset=10, groups=GroupSpec("source", 1)) == [DEPTH]
    assert depths_of(k=10, mode="hybrid") == [DEPTH]
    assert depths_of(k=150, mode="hybrid") == [DEPTH, REACH]


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


def test_a_rank_is_looked_for_further_down_than_results(collection: Collection) -> None:
    results = pages(collection, "hybrid")
    wanted = tuple(seq for seq, _ in results[:200])
    of_both = [
        collection.rank("hybrid", k=10, reach=reach, standing_reach=REACH, standing_of=wanted).standings
        for reach in (10, REACH)
    ]
    assert of_both[0] == of_both[1]
    assert [of_both[0][seq].rank for seq in wanted] == list(range(1, 201))


def test_a_least_score_ends_the_pages_where_they_fall_below_it(collection: Collection) -> None:
    results = pages(collection, "hybrid")
    for place in (40, 250):
        least = results[place][1]
        assert pages(collection, "hybrid", min_score=least) == [each for each in results if each[1] >= least]
