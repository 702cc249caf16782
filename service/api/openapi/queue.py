"""The OpenAPI document on the queue of questions to judge."""

from service.api.error_forms import INSTAR
from service.api.openapi.errors import BUSY, NOT_FINITE, UNKNOWN_COLLECTION
from service.api.openapi.operation import Operation, failing, success
from service.errors import InvalidRequest

_QUESTION = {
    "query": "How do I count my stock again?",
    "collection": "default",
    "side": None,
    "reasons": ["bad", "modes"],
    "complaints": 1,
    "complained_at": "2026-11-28T12:00:07Z",
    "searches": 1,
    "agreement_of_generations": None,
    "agreement_of_modes": 0.21,
    "need": None,
    "open": 1,
    "passages": [
        {
            "id": "c109",
            "text": "A recount replaces the number of an article.",
            "metadata": {"source": "brindle"},
            "open": True,
            "good": None,
            "people": 0,
            "unsure": False,
            "disagree": False,
        }
    ],
}
_LOOKED_AT = {"thumbs": 1, "searches": 1, "questions": 1, "searched": 1, "generations": [1]}
_LONG_NAME = InvalidRequest("by: String should have at most 128 characters", "by")

QUEUE = Operation(
    "What is worth judging?",
    {
        200: success("The questions that wait.", {"questions": [_QUESTION], "looked_at": _LOOKED_AT}),
        **failing(INSTAR, UNKNOWN_COLLECTION, _LONG_NAME, NOT_FINITE, *BUSY),
    },
)
