"""`GET /admin/export`: what the trainer fetches."""

from typing import Annotated, Literal

from fastapi import Query

What = Annotated[
    Literal["judgements", "documents"], Query(description="judgements: of the side train; documents: the corpus")
]
ExportedSide = Annotated[
    Literal["train", "judge"], Query(description="train; the side judge is refused, because it judges what is trained")
]
ExportedCollection = Annotated[str | None, Query(description="only those of this collection; if left out, of all")]
After = Annotated[
    int,
    Query(
        ge=0,
        lt=2**63,
        description="documents: only those after the line with this `cursor`, to go on where a copy ended",
    ),
]
ExportedForm = Annotated[
    Literal["instar", "beir"],
    Query(
        alias="format",
        description="instar: all that is stored; beir: the documents of one collection as the corpus.jsonl of BEIR",
    ),
]
