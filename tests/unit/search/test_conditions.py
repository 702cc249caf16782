"""Which versions meet a condition, whichever way they are looked up."""

import numpy as np
import pytest

from service.corpus.base import Document
from service.corpus.filters import Condition, index_value
from service.corpus.memory.documents import MemoryDocuments
from service.search import conditions

_META = Condition("page", "in", (index_value(1),))


@pytest.mark.parametrize("every", [1, 2, 10, 25, 400, 10_000])
def test_versions_of_any_number_are_placed_among_others(every: int) -> None:
    documents = MemoryDocuments()
    for collection in ("c", "other"):
        written = [Document(str(n), "text", {"page": int(n % every == 0)}) for n in range(600)]
        documents.put(collection, written, lambda _: None)
    # A document of several windows is in the list more than once, and some are not in it at all.
    seqs = np.repeat(np.arange(20, 601, 2), 2)
    mask = conditions.meeting_in(documents, "c")(_META, seqs)
    assert mask.tolist() == [(seq - 1) % every == 0 for seq in seqs.tolist()]


@pytest.mark.parametrize("seed", range(20))
def test_a_mask_is_that_of_numpy(seed: int) -> None:
    pick = np.random.default_rng(seed)
    seqs = np.sort(pick.integers(1, 3000, size=400))
    meeting = np.sort(pick.choice(4000, 2 * seed, replace=False))
    assert conditions._among(seqs, meeting).tolist() == np.isin(seqs, meeting).tolist()
