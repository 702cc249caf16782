"""Asks the corpus which versions of documents meet a condition of a filter."""

from functools import partial

import numpy as np

from service.corpus.base import Documents, Seqs
from service.corpus.filters import Condition, attributes, meets
from service.index.base import Mask, Meeting
from service.index.rows import positions_of

# Up to this many versions, reading each one costs less than listing all that meet a condition.
_READ_ONE_BY_ONE = 256
# Up to this share of the versions, finding the place of each one costs less than going through all.
_PLACED_SHARE = 0.05


def meeting_in(documents: Documents, collection: str) -> Meeting:
    """Return a function that says which of ascending sequence numbers meet a condition, in one collection."""
    return partial(_meeting, documents, collection)


def _meeting(documents: Documents, collection: str, condition: Condition, seqs: Seqs) -> Mask:
    if len(seqs) > _READ_ONE_BY_ONE:
        return _among(seqs, documents.meeting(collection, condition, int(seqs[0]) - 1))
    versions = documents.fetch(seqs.tolist()) if len(seqs) else {}
    return np.array(
        [seq in versions and meets(attributes(versions[seq].metadata), condition) for seq in seqs.tolist()],
        dtype=np.bool_,
    )


def _among(seqs: Seqs, meeting: Seqs) -> Mask:
    """Say which of ascending `seqs` (n,) are among the ascending versions `meeting`, as a mask (n,)."""
    if len(meeting) > _PLACED_SHARE * len(seqs):
        return np.isin(seqs, meeting)
    mask = np.zeros(len(seqs), dtype=np.bool_)
    mask[positions_of(seqs, meeting)] = True
    return mask
