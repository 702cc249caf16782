"""The OpenAPI document on judgements."""

from service.api.error_forms import INSTAR
from service.api.inputs import unknown_cursor
from service.api.judgement_inputs import contradiction, no_condition
from service.api.openapi.errors import UNKNOWN_COLLECTION
from service.api.openapi.operation import Operation, failing, success
from service.api.schemas.judgements import Removed, Taken
from service.corpus.errors import too_many_judgements

_EXAMPLE = {
    "query": "How do I count my stock again?",
    "document": "c109",
    "good": True,
    "collection": "default",
    "provenance": "support, ticket 4711",
}
_BODIES = {"one judgement": {"judgements": [_EXAMPLE]}}
_REFUSED = failing(INSTAR, contradiction(3), UNKNOWN_COLLECTION, too_many_judgements("would be", 30000, 20000))

ADD = Operation(
    "Say more of what is good",
    {
        200: success(
            "They are there.", Taken(judgements=203, queries=102, added=1, changed=0, removed=0, unresolved=0)
        ),
        **_REFUSED,
    },
    _BODIES,
)
PUT = Operation(
    "Say all that is good",
    {
        200: success(
            "They are there, and no others.",
            Taken(judgements=1, queries=1, added=1, changed=0, removed=202, unresolved=0),
        ),
        **_REFUSED,
    },
    _BODIES,
)
LIST = Operation(
    "List judgements",
    {
        200: success("A page.", {"judgements": [_EXAMPLE], "next": None}),
        **failing(INSTAR, unknown_cursor()),
    },
)
DELETE = Operation(
    "Take judgements back",
    {200: success("They are gone.", Removed(removed=1)), **failing(INSTAR, no_condition())},
)
