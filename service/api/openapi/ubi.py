"""The OpenAPI document on searches and events in the form of User Behavior Insights."""

from typing import Any

from pydantic import BaseModel

from service.api.document_inputs import NDJSON
from service.api.error_forms import INSTAR
from service.api.feedback_inputs import in_the_future, no_document_named, no_seconds
from service.api.openapi.errors import UNKNOWN_COLLECTION
from service.api.openapi.operation import JSON, SCHEMAS, STREAMED, Operation, failing, requests, success
from service.api.schemas.ubi import UbiEventsAnswer, UbiQueriesAnswer
from service.api.ubi_inputs import no_query_named, too_many_objects
from service.learning.feedback import no_document_there
from service.learning.ubi import UbiEvent, UbiQuery
from service.learning.ubi_feedback import no_query, nothing_is_kept, two_queries

_QUERY = {
    "application": "help",
    "query_id": "00112233-4455-6677-8899-aabbccddeeff",
    "client_id": "5e3b2a1c-8b7d-4f2e-a3d4-c9b2e1f3a4b5",
    "user_query": "closing the day",
    "object_id_field": "id",
    "timestamp": "2026-11-28T12:00:00.501Z",
    "query_attributes": {"experiment": "a"},
    "query_response_hit_ids": ["c145", "first", "c109"],
}
_CLICK = {
    "application": "help",
    "action_name": "click",
    "query_id": "00112233-4455-6677-8899-aabbccddeeff",
    "client_id": "5e3b2a1c-8b7d-4f2e-a3d4-c9b2e1f3a4b5",
    "session_id": "84266fdbd31d4c2c6d0665f7e8380fa3",
    "timestamp": "2026-11-28T12:00:09.120Z",
    "message_type": "INFO",
    "event_attributes": {"object": {"object_id": "first", "object_id_field": "id"}, "position": {"ordinal": 2}},
}
_THUMB = {
    "action_name": "thumbs_up",
    "user_query": "closing the day",
    "timestamp": "2026-11-28T12:01:00Z",
    "event_attributes": {"object": {"object_id": "first"}, "position": {}},
}


def _body(form: type[BaseModel], examples: dict[str, object], lines: str) -> dict[str, Any]:
    schema = form.model_json_schema(ref_template=SCHEMAS)
    array = {"type": "array", "minItems": 1, "items": {"$ref": SCHEMAS.format(model=form.__name__)}}
    return {
        "required": True,
        "content": {
            JSON: {
                "schema": {"anyOf": [schema, array]},
                "examples": requests(examples),
            },
            NDJSON: {"schema": STREAMED, "examples": requests({"lines": lines})},
        },
    }


QUERIES = Operation(
    "Say what was searched elsewhere (UBI)",
    {
        200: success("The queries are durable.", UbiQueriesAnswer(accepted=1, repeated=0)),
        **failing(
            INSTAR,
            UNKNOWN_COLLECTION,
            no_document_there("B07XLFYN6S", "default", "0.query_response_hit_ids"),
            two_queries("1234-user-5678", "0.user_query"),
            in_the_future("0.timestamp"),
            nothing_is_kept(),
            too_many_objects(5000, 1000),
        ),
    },
    body=_body(UbiQuery, {"a query": _QUERY, "an array": [_QUERY]}, '{"user_query": "closing the day"}\n'),
)
EVENTS = Operation(
    "Say what users did (UBI)",
    {
        200: success("The events are durable.", UbiEventsAnswer(accepted=2, repeated=0, ignored=0)),
        **failing(
            INSTAR,
            no_query("00112233-4455-6677-8899-aabbccddeeff", "0.query_id"),
            UNKNOWN_COLLECTION,
            no_document_there("c999", "default", "0.event_attributes.object.object_id"),
            no_query_named("click", "0.query_id"),
            no_document_named("click", "0.event_attributes.object.object_id"),
            no_seconds("0.event_attributes.dwell_time"),
            in_the_future("0.timestamp"),
            too_many_objects(5000, 1000),
        ),
    },
    body=_body(
        UbiEvent,
        {"an event": _CLICK, "an array": [_CLICK, _THUMB]},
        '{"action_name": "bad", "user_query": "closing"}\n',
    ),
)
