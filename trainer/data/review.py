"""What users disliked, put aside for a person to judge.

A thumb down rates an answer. It may have been the model that wrote it, or one document of four, so none of them is
taken for bad. The file that is written is in the format `labelled-pairs` with the labels left empty: who fills them in
with 0 or 1 can import it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson


@dataclass(frozen=True, slots=True)
class PutAside:
    """A query whose answer was disliked, the answer, and the texts of the documents that it was made of."""

    query: str
    response: str
    documents: tuple[str, ...]


def write(review: Sequence[PutAside], path: Path) -> None:
    """One line for each query and document."""
    with path.open("wb") as file:
        for aside in review:
            for document in aside.documents:
                row = {"query": aside.query, "passage": document, "label": None, "response": aside.response}
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
