"""The OpenAPI document on judgements."""

from service.api.error_forms import INSTAR
from service.api.inputs import unknown_cursor
from service.api.judgement_inputs import contradiction, derived_source, no_condition, not_sent
from service.api.openapi.errors import UNKNOWN_COLLECTION
from service.api.openapi.operation import Operation, failing, success
from service.api.schemas.judgements import AgreementAnswer, QuestionCountsAnswer, Removed, Taken
from service.corpus.errors import too_many_judgements

_EXAMPLE = {
    "query": "How do I count my stock again?",
    "document": "c109",
    "good": True,
    "collection": "default",
    "provenance": "support, ticket 4711",
}
_BY_SOMEBODY = _EXAMPLE | {"source": "person", "by": "ann"}
_LISTED = _EXAMPLE | {
    "source": "sent",
    "by": None,
    "at": "2026-11-28T19:05:12Z",
    "weight": 1.0,
    "side": "judge",
    "stale": False,
}
_BODIES = {"one judgement": {"judgements": [_EXAMPLE]}}
_ADDED = _BODIES | {"a person's judgement": {"judgements": [_BY_SOMEBODY]}}
_REFUSED = (contradiction(3), UNKNOWN_COLLECTION, too_many_judgements("would be", 30000, 20000))

ADD = Operation(
    "Say more of what is good",
    {
        200: success(
            "They are there.",
            Taken(judgements=203, queries=102, judging=102, added=1, changed=0, removed=0, unresolved=0),
        ),
        **failing(INSTAR, derived_source("judgements.0", "click"), *_REFUSED),
    },
    _ADDED,
)
PUT = Operation(
    "Say all that is good",
    {
        200: success(
            "They are there, and nothing else that was sent.",
            Taken(judgements=1, queries=1, judging=1, added=1, changed=0, removed=202, unresolved=0),
        ),
        **failing(INSTAR, not_sent("judgements.0", "person"), *_REFUSED),
    },
    _BODIES,
)
LIST = Operation(
    "List judgements",
    {
        200: success("A page.", {"judgements": [_LISTED], "next": None}),
        **failing(INSTAR, unknown_cursor()),
    },
)
DELETE = Operation(
    "Take judgements back",
    {200: success("They are gone.", Removed(removed=1)), **failing(INSTAR, no_condition())},
)
COUNTS = Operation(
    "How many questions can be trained on?",
    {
        200: success(
            "Their numbers.",
            QuestionCountsAnswer(training=41, judging=18, neither=1, missing=4, without_good=26),
        )
    },
)
AGREEMENT = Operation(
    "Do people agree?",
    {200: success("Their agreement.", AgreementAnswer(alpha=0.72, pairs=48, people=3))},
)
