"""The OpenAPI document on saved questions."""

from service.api.error_forms import INSTAR
from service.api.openapi.operation import Operation, failing, success
from service.learning.question_sets import no_question_set, no_set_name, too_many_questions, too_many_sets

_INFO = {"name": "September set", "count": 1, "changed": "2026-11-28T19:05:12Z", "by": "ann"}
_QUESTION = {"query": "How do I count my stock again?", "collection": "default"}
_SET = _INFO | {"questions": [_QUESTION]}
_BODIES = {"one question": {"questions": [_QUESTION]}}
_UNKNOWN = no_question_set("October set", ["September set"])
_REFUSED = (no_set_name("-"), too_many_sets(), too_many_questions(1200, 96_000))

LIST = Operation("List saved questions", {200: success("The lists.", {"sets": [_INFO]})})
READ = Operation("Read saved questions", {200: success("The list.", _SET), **failing(INSTAR, _UNKNOWN)})
PUT = Operation("Save questions", {200: success("The list.", _SET), **failing(INSTAR, *_REFUSED)}, _BODIES)
ADD = Operation("Save more questions", {200: success("The list.", _SET), **failing(INSTAR, *_REFUSED)}, _BODIES)
DELETE = Operation(
    "Delete saved questions", {200: success("They are gone.", {"removed": 1}), **failing(INSTAR, _UNKNOWN)}
)
