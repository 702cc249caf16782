"""The OpenAPI document on the export."""

from collections.abc import Sequence

from fastapi.responses import StreamingResponse

from service.api.document_inputs import NDJSON
from service.api.error_forms import INSTAR
from service.api.openapi.errors import UNKNOWN_COLLECTION
from service.api.openapi.operation import Operation, failing, header, success
from service.errors import Forbidden, InvalidRequest

TOTAL_HEADER = "X-Instar-Total"
# Collections that a message lists.
_NAMED = 10


def side_judge() -> Forbidden:
    """A caller asks for the queries that judge."""
    return Forbidden(
        "the side judge is never exported: reloads are judged by it, and a model that has seen it would be judged by"
        " what it was told. Train on side=train; GET /admin/judgements shows both sides to people",
        "side",
    )


def beir_of_judgements() -> InvalidRequest:
    """A caller asks for judgements in a form that has files for them."""
    return InvalidRequest(
        "format=beir is a form of documents: ask for what=documents, or get the whole folder, with judgements, by"
        " instar train import URL --format instar --out FOLDER",
        "format",
    )


def beir_of_several(collections: Sequence[str]) -> InvalidRequest:
    """A caller asks for all collections in a form that does not name them."""
    return InvalidRequest(
        f"BEIR names no collections, and there are {len(collections)}: choose one with collection=NAME, of"
        f" {', '.join(collections[:_NAMED])}{', …' if len(collections) > _NAMED else ''}",
        "collection",
    )


_LINE = (
    '{"query":"How do I count my stock again?","document":"c109","good":true,"collection":"default","provenance":null,'
    '"source":"feedback","by":null,"at":"2026-11-28T19:05:12Z","weight":0.5,"side":"train","stale":false}\n'
)

EXPORT = Operation(
    "Fetch what to train on",
    {
        200: success(
            "A line for each judgement or document.",
            _LINE,
            str,
            {TOTAL_HEADER: header("documents: number of lines", 330, always=False)},
            kind=NDJSON,
        ),
        **failing(
            INSTAR,
            side_judge(),
            UNKNOWN_COLLECTION,
            InvalidRequest("after: Input should be greater than or equal to 0", "after"),
            beir_of_several(["default", "notes"]),
        ),
    },
    options={"response_class": StreamingResponse},
)
