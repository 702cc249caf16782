"""A search by keyword for what a filter allows finds the same however it looks for it, and looks through few others."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from service.corpus.base import Document, Seqs
from service.corpus.memory.store import MemoryStore
from service.index.exact import ExactIndexes
from service.index.keywords.base import KeywordRanking
from service.index.keywords.index import TwoPartKeywords
from service.index.keywords.view import TwoPartView
from service.index.rows import whole
from service.index.vector_folder import VectorFolder
from service.search import scope
from service.search.scope import Scope

OTHERS, ALLOWED = 2000, 100
RANKED_LATE = "kazu moro moro moro moro moro moro"


class Words:
    """The words of a view, and how many documents they have ranked."""

    def __init__(self, view: TwoPartView) -> None:
        self._view = view
        self.ranked = 0
        self.among: list[int] = []

    def documents(self, collection: str) -> int:
        return self._view.documents(collection)

    def rank(self, query: str, collection: str, depth: int, among: Seqs | None = None) -> KeywordRanking:
        ranking = self._view.rank(query, collection, depth, among)
        if among is not None:
            self.among.append(0)

        def counted() -> "list[tuple[int, float]]":
            portion = next(ranking.portions, [])
            self.ranked += len(portion)
            if among is not None and portion:
                self.among[-1] += 1
            return portion

        return KeywordRanking((portion for portion in iter(counted, [])), ranking.max_score)


@pytest.fixture
def looking(tmp_path: Path) -> tuple[Scope, Words]:
    """Return a scope of documents that are ranked behind all others."""
    store = MemoryStore(10)
    texts = ["kazu " * (5 + number % 40) for number in range(OTHERS)]
    texts += [f"{RANKED_LATE} {'tibu ' * number}" for number in range(ALLOWED)]
    documents = [Document(f"d{number}", text, {}) for number, text in enumerate(texts)]
    seqs = np.array(store.documents.put("default", documents, lambda _: None).added, dtype=np.int64)
    keywords = TwoPartKeywords(tmp_path / "words", store.documents, seal_from=1)
    keywords.load()
    index = ExactIndexes(VectorFolder(tmp_path)).open("f", 2)
    index.store.put(whole(seqs, np.ones((len(seqs), 2), np.float32)))
    index.build({"default": seqs}, int(seqs[-1]))()
    view, words = index.view("default"), Words(keywords.view())
    return Scope(view, np.arange(len(seqs)) >= OTHERS, "default", words), words


@pytest.mark.parametrize("depth", [1, 10, 99, 150])
def test_allowed_documents_that_are_ranked_late_are_found_without_going_through_all_others(
    looking: tuple[Scope, Words], depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, words = looking
    monkeypatch.setattr(scope, "_FEW", 0)
    monkeypatch.setattr(scope, "_LOOKED_THROUGH", 10**9)
    expected = place.by_keyword("kazu", depth)
    assert [seq for seq, _ in expected[0]] == [OTHERS + 1 + number for number in range(min(depth, ALLOWED))]
    assert words.ranked > OTHERS
    monkeypatch.setattr(scope, "_LOOKED_THROUGH", depth)
    monkeypatch.setattr(scope, "_SEVERAL", ALLOWED)
    words.ranked = 0
    assert place.by_keyword("kazu", depth) == expected
    assert words.ranked < OTHERS / 2
    # In one portion: each looks for all of the numbers again.
    assert words.among == [1]


def test_more_allowed_documents_than_several_are_met_in_the_ranking(
    looking: tuple[Scope, Words], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, words = looking
    monkeypatch.setattr(scope, "_FEW", 0)
    monkeypatch.setattr(scope, "_LOOKED_THROUGH", 20)
    monkeypatch.setattr(scope, "_SEVERAL", ALLOWED - 1)
    assert len(place.by_keyword("kazu", 10)[0]) == 10
    assert words.ranked > OTHERS


def test_allowed_documents_of_which_the_collection_has_many_are_met_in_the_ranking(
    looking: tuple[Scope, Words], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, words = looking
    monkeypatch.setattr(scope, "_FEW", 0)
    monkeypatch.setattr(scope, "_LOOKED_THROUGH", 20)
    monkeypatch.setattr(scope, "_RARE", (OTHERS + ALLOWED) // ALLOWED + 1)
    assert len(place.by_keyword("kazu", 10)[0]) == 10
    assert words.among == []


@pytest.mark.parametrize("looked_through", [1, 20, 160, 10**9])
def test_a_ranking_has_each_document_once(
    looking: tuple[Scope, Words], looked_through: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, _ = looking
    monkeypatch.setattr(scope, "_FEW", 0)
    monkeypatch.setattr(scope, "_LOOKED_THROUGH", looked_through)
    with closing(place.keyword_ranking("kazu moro", 10).portions) as portions:
        ranked = [seq for portion in portions for seq, _ in portion]
    assert len(ranked) == len(set(ranked))
    assert set(range(OTHERS + 1, OTHERS + ALLOWED + 1)) <= set(ranked)
