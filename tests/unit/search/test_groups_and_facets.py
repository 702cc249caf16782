"""Groups and facets against the whole ranking and the whole collection, which a test can afford to go through."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.corpus import filters
from service.corpus.base import Document
from service.corpus.memory.store import MemoryStore
from service.index.base import IndexFactory
from service.index.exact import ExactIndexes
from service.index.keywords.index import TwoPartKeywords
from service.index.rows import whole
from service.index.vector_folder import VectorFolder
from service.machine.arrays import Vectors
from service.search.facets import FacetSpec
from service.search.fusion import Scored
from service.search.grouping import GroupSpec
from service.search.retrieval import Mode, Ranking, Retrieval, SearchSpec

DIMENSIONS = 8
WORDS = ("kazu", "moro", "tibu")
QUERY = "kazu moro"
MODES: tuple[Mode, ...] = ("dense", "keyword", "hybrid")


def unit(vectors: Any) -> Vectors:
    scaled: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


class Collection:
    """Documents with vectors, and a query with one."""

    def __init__(
        self,
        folder: Path,
        metadata: Sequence[dict[str, Any]],
        indexes: IndexFactory | None = None,
        dimensions: int = DIMENSIONS,
    ) -> None:
        random = np.random.default_rng(11)
        self.store = MemoryStore(10)
        self.index = (indexes or ExactIndexes(VectorFolder(folder))).open("f", dimensions)
        self.query = unit(random.normal(size=(1, dimensions)))
        vectors = unit(
            random.normal(size=(len(metadata), dimensions)) + self.query * np.linspace(3, 0, len(metadata))[:, None]
        )
        documents = [
            Document(f"d{number}", " ".join(random.choice(WORDS, size=3)), each) for number, each in enumerate(metadata)
        ]
        change = self.store.documents.put("default", documents, lambda _: None)
        self.keywords = TwoPartKeywords(folder / "words", self.store.documents)
        self.keywords.load()
        seqs = np.array(change.added, dtype=np.int64)
        self.index.store.put(whole(seqs, vectors))
        self.index.build({"default": seqs}, int(seqs[-1]), lambda: False)()
        self.metadata = dict(zip(change.added, metadata, strict=True))

    def rank(self, mode: Mode, **spec: Any) -> Ranking:
        retrieval = Retrieval(self.keywords, self.store.documents)
        vectors = None if mode == "keyword" else self.query
        (ranking,) = retrieval.rank(self.index, [QUERY], vectors, SearchSpec(collection="default", mode=mode, **spec))
        return ranking

    def greedy(self, ranking: Scored, key: str, size: int) -> list[tuple[int, float]]:
        """The documents of the whole ranking that groups leave."""
        taken, sizes = [], Counter[object]()
        for seq, score in ranking:
            value = self.metadata[seq].get(key)
            values = value if isinstance(value, list) else [] if value is None else [value]
            if all(sizes[each] < size for each in values):
                sizes.update(set(values))
                taken.append((seq, score))
        return taken


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """900 documents, of which the best 500 are of one source."""
    sources: list[dict[str, Any]] = [{"source": "big"}] * 500 + [{"source": f"s{number % 40}"} for number in range(300)]
    sources += [{}] * 20 + [{"source": None}] * 20 + [{"source": ["big", "s1"]}] * 30 + [{"source": ["s2", "x"]}] * 30
    return Collection(tmp_path_factory.mktemp("groups"), sources)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("mode", ["dense", "keyword"])
def test_groups_are_those_of_the_whole_ranking(collection: Collection, mode: Mode, size: int) -> None:
    everything = collection.rank(mode, k=900).scored
    expected = collection.greedy(everything, "source", size)
    for k in (1, 5, 30, 900):
        scored = collection.rank(mode, k=k, groups=GroupSpec("source", size)).scored
        assert [seq for seq, _ in scored] == [seq for seq, _ in expected[:k]]
        np.testing.assert_allclose([score for _, score in scored], [score for _, score in expected[:k]], rtol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_a_page_is_filled_from_behind_a_large_source(collection: Collection, mode: Mode) -> None:
    scored = collection.rank(mode, k=20, groups=GroupSpec("source", 2)).scored
    sources = Counter(str(collection.metadata[seq].get("source")) for seq, _ in scored)
    assert len(scored) == 20
    assert max(count for source, count in sources.items() if source.startswith(("big", "s"))) <= 2
    assert scored == sorted(scored, key=lambda each: (-each[1], each[0]))


@pytest.mark.parametrize("fusion", ["score", "rank"])
def test_fused_results_are_in_order_and_of_different_groups(collection: Collection, fusion: Any) -> None:
    scored = collection.rank("hybrid", k=10, groups=GroupSpec("source", 1), fusion=fusion).scored
    assert [score for _, score in scored] == sorted((score for _, score in scored), reverse=True)
    assert scored == collection.greedy(scored, "source", 1)
    assert len(scored) == 10


@pytest.mark.parametrize("mode", MODES)
def test_pages_follow_each_other(collection: Collection, mode: Mode) -> None:
    groups = GroupSpec("source", 1)
    whole_page = collection.rank(mode, k=20, groups=groups).scored
    pages = [collection.rank(mode, k=10, offset=offset, groups=groups).scored for offset in (0, 10)]
    assert [*pages[0], *pages[1]] == whole_page


def test_the_end_of_the_ranking_ends_the_search(collection: Collection) -> None:
    tree = filters.parse({"source": "big", "not": {"source": "s1"}})
    for mode in MODES:
        assert len(collection.rank(mode, k=50, tree=tree, groups=GroupSpec("source", 3)).scored) == 3


def test_a_document_below_min_score_is_no_result(collection: Collection) -> None:
    groups = GroupSpec("source", 1)
    everything = collection.rank("dense", k=900, groups=groups).scored
    least = everything[7][1]
    assert collection.rank("dense", k=900, groups=groups, min_score=least).scored == everything[:8]


def test_documents_without_the_key_are_groups_of_their_own(collection: Collection) -> None:
    scored = collection.rank("dense", k=900, groups=GroupSpec("nothing", 1)).scored
    assert len(scored) == 900


def test_facets_count_all_that_pass_the_filter(collection: Collection) -> None:
    for mode in ("dense", "hybrid"):
        facets = collection.rank(mode, k=1, facets=FacetSpec(["source", "nothing"], 2)).facets
        assert [(each.value, each.count) for each in facets["source"]] == [("big", 530), ("s1", 38)]
        assert facets["nothing"] == []
    tree = filters.parse({"not": {"source": "big"}})
    (first,) = collection.rank("dense", k=1, tree=tree, facets=FacetSpec(["source"], 1)).facets["source"]
    assert (first.value, first.count) == ("s2", 38)


def test_facets_of_keywords_count_what_has_a_word(collection: Collection) -> None:
    matching = collection.rank("keyword", k=900).scored
    facets = collection.rank("keyword", k=1, facets=FacetSpec(["source"], 1)).facets
    expected = sum("big" in (collection.metadata[seq].get("source") or ()) for seq, _ in matching)
    assert [(each.value, each.count) for each in facets["source"]] == [("big", expected)]
    assert expected < 530


def test_facets_and_groups_go_together(collection: Collection) -> None:
    ranking = collection.rank("dense", k=3, groups=GroupSpec("source", 1), facets=FacetSpec(["source"], 1))
    assert len(ranking.scored) == 3
    assert ranking.facets["source"][0].count == 530
