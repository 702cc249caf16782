"""The OpenAPI document on insights."""

from service.api.error_forms import INSTAR
from service.api.openapi.errors import UNKNOWN_COLLECTION
from service.api.openapi.examples import MODEL
from service.api.openapi.operation import Operation, failing, success
from service.errors import InvalidRequest

_STOCK = {"collection": "default", "query": "How do I count my stock again?"}
_PARCEL = {"collection": "default", "query": "parcel locker code"}
_TOTAL = {"searches": 1204, "empty": 17, "good": 96, "bad": 21}

READ = Operation(
    "What do users ask, and what fails?",
    {
        200: success(
            "The counts.",
            {
                "since": "2026-11-24T00:00:00Z",
                "keep": "feedback",
                "dropped": 980,
                "total": _TOTAL,
                "most_asked": [_STOCK | {"searches": 41, "empty": 0, "good": 5, "bad": 3}],
                "nothing_found": [_PARCEL | {"searches": 9, "empty": 9, "good": 0, "bad": 1}],
                "worst": [_STOCK | {"searches": 41, "empty": 0, "good": 5, "bad": 3}],
                "by_day": [{"day": "2026-11-24"} | _TOTAL],
                "by_generation": [{"generation": 1, "model": MODEL} | _TOTAL],
                "by_collection": [{"collection": "default"} | _TOTAL],
            },
        ),
        **failing(
            INSTAR, UNKNOWN_COLLECTION, InvalidRequest("days: Input should be less than or equal to 366", "days")
        ),
    },
)
