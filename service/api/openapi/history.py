"""The OpenAPI document on the last hour, and on the last lines of the log."""

from service.api.error_forms import INSTAR
from service.api.openapi.operation import Operation, failing, success
from service.errors import InvalidRequest

_HISTORY = {
    "seconds": 10.0,
    "ended": [1795943694.2],
    "requests": [412],
    "failures": [0],
    "searches": [398],
    "search_p50": [0.0061],
    "search_p99": [0.0192],
    "waiting_tokens": {"interactive": [0], "bulk": [18000]},
    "encoded_tokens": {"interactive": [5120], "bulk": [91200]},
    "memory": [734003200],
    "disk_free": [41875931136],
}
_LINE = {
    "time": "2026-11-29T09:12:44.120000Z",
    "level": "info",
    "logger": "service.api.middleware.audit",
    "message": "audit",
    "fields": {"action": "POST /admin/keys", "key": "root", "client": "127.0.0.1", "status": "201"},
}

HISTORY = Operation("How did the last hour go?", {200: success("The last hour.", _HISTORY)})
LOG = Operation(
    "Read the last lines of the log",
    {
        200: success("The lines.", {"lines": [_LINE]}),
        **failing(INSTAR, InvalidRequest("limit: Input should be less than or equal to 500", "limit")),
    },
)
