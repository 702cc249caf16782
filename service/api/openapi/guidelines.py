"""The OpenAPI document on guidelines for people who judge."""

from service.api.error_forms import INSTAR
from service.api.openapi.errors import LONG_BODY
from service.api.openapi.operation import Operation, failing, success
from service.errors import InvalidRequest

_GUIDELINES = {
    "text": "Good is a passage with which alone a reader could answer the question.",
    "at": "2026-11-28T19:05:12Z",
    "by": "ann",
}
_TOO_LONG = InvalidRequest("text: String should have at most 20000 characters", "text")

READ = Operation("When is a passage good?", {200: success("The guidelines.", _GUIDELINES)})
WRITE = Operation(
    "Say when a passage is good",
    {200: success("They are kept.", _GUIDELINES), **failing(INSTAR, _TOO_LONG, LONG_BODY)},
    {"a rule": {"text": _GUIDELINES["text"]}},
)
