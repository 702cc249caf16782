"""Words that are looked up once rank several indexes as if each had looked them up."""

from pathlib import Path

import pytest

from service.reload.moment import Moment
from service.search.fusion import Fusion
from service.search.retrieval import Retrieval, SearchSpec
from tests.unit.search.test_groups_and_facets import QUERY, Collection


@pytest.mark.parametrize("fusion", ["score", "rank"])
@pytest.mark.parametrize("k", [1, 10, 100, 150])
def test_given_parts_change_no_ranking(tmp_path: Path, fusion: Fusion, k: int) -> None:
    collection = Collection(tmp_path, [{}] * 300)
    retrieval = Retrieval(collection.keywords, collection.store.documents)
    spec = SearchSpec(k=k, collection="default", mode="hybrid", fusion=fusion)
    moment = Moment.of(collection.index, "default")
    parts = retrieval.keyword_parts(moment, [QUERY], spec)
    expected = retrieval.rank(collection.index, [QUERY], collection.query, spec)
    assert retrieval.rank(moment, [QUERY], collection.query, spec, parts) == expected


def test_documents_that_an_index_does_not_have_are_left_out(tmp_path: Path) -> None:
    collection = Collection(tmp_path, [{}] * 30)
    retrieval = Retrieval(collection.keywords, collection.store.documents)
    spec = SearchSpec(k=40, collection="default", mode="hybrid")
    before = Moment.of(collection.index, "default")
    parts = retrieval.keyword_parts(before, [QUERY], spec)
    change = collection.store.documents.delete("default", ["d3", "d7"], lambda _: None)
    collection.index.prepare(change, None)()
    rank = retrieval.rank(Moment.of(collection.index, "default"), [QUERY], collection.query, spec, parts)
    seqs = {seq for ranking in rank for seq, _ in ranking.scored}
    assert seqs
    assert not seqs & set(change.died)
    # The moment before still has them.
    (former,) = retrieval.rank(before, [QUERY], collection.query, spec, parts)
    assert set(change.died) <= {seq for seq, _ in former.scored}
