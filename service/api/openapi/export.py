"""The OpenAPI document on the export."""

from fastapi.responses import StreamingResponse

from service.api.document_inputs import NDJSON
from service.api.error_forms import INSTAR
from service.api.openapi.errors import UNKNOWN_COLLECTION
from service.api.openapi.operation import Operation, failing, header, success
from service.errors import Forbidden, InvalidRequest

TOTAL_HEADER = "X-Instar-Total"


def side_judge() -> Forbidden:
    """A caller asks for the queries that judge."""
    return Forbidden(
        "the side judge is never exported: reloads are judged by it, and a model that has seen it would be judged by"
        " what it was told. Train on side=train; GET /admin/judgements shows both sides to people",
        "side",
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
        ),
    },
    options={"response_class": StreamingResponse},
)
