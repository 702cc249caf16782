"""The OpenAPI document on passages of which people are not sure."""

from service.api.error_forms import INSTAR
from service.api.openapi.errors import LONG_BODY
from service.api.openapi.operation import Operation, failing, success
from service.api.unsure_inputs import nobody_named, nothing_to_read

_PASSAGE = {"query": "How do I count my stock again?", "document": "c109", "by": "ann"}
_REFUSED = (nobody_named(), nothing_to_read("default", "c190"))

ADD = Operation(
    "Not sure",
    {
        200: success("It waits for others, and no longer for this person.", {"unsure": True}),
        **failing(INSTAR, *_REFUSED, LONG_BODY),
    },
    {"a passage": _PASSAGE},
)
DELETE = Operation(
    "Sure after all",
    {200: success("It waits for this person again.", {"unsure": False}), **failing(INSTAR, *_REFUSED)},
)
