"""Disliked answers, put aside for a person to judge.

A thumb down rates an answer. The fault may lie with the model that wrote it, or with one of four documents, so no
document is taken for bad. The file has the format `labelled-pairs` with empty labels. When somebody has filled in 0 or
1, it can be imported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson


@dataclass(frozen=True, slots=True)
class PutAside:
    """A query whose answer was disliked, the answer, and the texts of the documents that it was made from."""

    query: str
    response: str
    documents: tuple[str, ...]


def write(review: Sequence[PutAside], path: Path) -> None:
    """Write one line for each query and document."""
    with path.open("wb") as file:
        for aside in review:
            for document in aside.documents:
                row = {"query": aside.query, "passage": document, "label": None, "response": aside.response}
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
