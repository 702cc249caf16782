"""The OpenAPI document on the needs behind questions."""

from service.api.error_forms import INSTAR
from service.api.openapi.errors import LONG_BODY
from service.api.openapi.operation import Operation, failing, success
from service.errors import InvalidRequest

_NEED = {"text": "Count one shelf again, and keep the rest.", "at": "2026-11-28T19:05:12Z", "by": "ann"}
_NO_QUERY = InvalidRequest("query: String should have at least 1 character", "query")
_TOO_LONG = InvalidRequest("text: String should have at most 1000 characters", "text")

READ = Operation(
    "What is the need behind a question?", {200: success("The need.", _NEED), **failing(INSTAR, _NO_QUERY)}
)
WRITE = Operation(
    "Say what the need behind a question is",
    {200: success("It is kept.", _NEED), **failing(INSTAR, _TOO_LONG, LONG_BODY)},
    {"a need": {"query": "How do I count my stock again?", "text": _NEED["text"]}},
)
