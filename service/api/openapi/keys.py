"""The OpenAPI document on keys."""

from service.access.key_changes import last_admin, no_admin, would_close
from service.access.keyring import name_taken, unknown_name, wrong_name
from service.api.error_forms import INSTAR
from service.api.openapi.errors import LONG_BODY
from service.api.openapi.operation import Operation, failing, header, success

_LIMITS = {"requests_per_minute": 60, "requests_per_day": None, "tokens_per_minute": None, "tokens_per_day": None}
_KEY = {
    "name": "ann",
    "scopes": ["judge"],
    "limits": _LIMITS,
    "source": "file",
    "created": "2026-11-29T09:12:44Z",
    "last_used": None,
    "revoked": None,
}

LIST = Operation("List keys", {200: success("The keys.", {"keys": [_KEY], "open": []})})
MAKE = Operation(
    "Make a key",
    {
        201: success(
            "The key, whose token is shown this once.",
            {"token": "instar_5Yb1nVJ6xQZ0sM2kT9wLr8dEoHcUaGfP3iXyC4vBqAs", "key": _KEY},
            headers={"Cache-Control": header("no cache keeps the token", "no-store")},
        ),
        **failing(
            INSTAR, LONG_BODY, wrong_name(), name_taken("ann"), no_admin("ann"), would_close(["search", "admin"])
        ),
    },
    {
        "a key for a colleague who judges": {"name": "ann", "scopes": ["judge"]},
        "a key with limits": {"name": "app", "scopes": ["search"], "limits": {"requests_per_minute": 600}},
    },
    options={"status_code": 201},
)
REVOKE = Operation(
    "Revoke a key",
    {
        200: success("The key, which opens nothing any more.", _KEY | {"revoked": "2026-11-29T10:00:00Z"}),
        **failing(INSTAR, unknown_name("bob", ["ann"]), last_admin("ann")),
    },
)
