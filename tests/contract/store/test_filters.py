"""Filters: the versions that meet a condition."""

from functools import partial
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.corpus import filters
from service.corpus.base import CorpusStore, Document
from tests.contract.store.stores import accept
from tests.unit.corpus.test_filters import FILTERS, METADATA, passes

_collection = iter(f"c{number}" for number in range(10**9))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(corpus=st.lists(METADATA, min_size=1, max_size=6), source=FILTERS)
def test_a_filter_finds_what_its_definition_says(
    shared: CorpusStore, corpus: list[dict[str, Any]], source: dict[str, Any]
) -> None:
    collection = next(_collection)
    written = [Document(str(number), "text", metadata) for number, metadata in enumerate(corpus)]
    added = np.array(shared.documents.put(collection, written, accept).added)
    tree = filters.parse(source)
    expected = [passes(metadata, source) for metadata in corpus]
    meeting = partial(shared.documents.meeting, collection)
    assert filters.evaluate(tree, lambda leaf: np.isin(added, meeting(leaf))).tolist() == expected
    assert shared.documents.passing(collection, tree).tolist() == added[expected].tolist()
    died = shared.documents.delete_matching(collection, tree, accept).died
    assert list(died) == added[expected].tolist()
    assert not len(shared.documents.passing(collection, tree))
    # Those that are dead meet what they met, until they are purged.
    assert filters.evaluate(tree, lambda leaf: np.isin(added, meeting(leaf))).tolist() == expected
    shared.documents.purge(died)
    if isinstance(tree, filters.Condition):
        assert not len(meeting(tree))
