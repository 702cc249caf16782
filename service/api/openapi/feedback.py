"""The OpenAPI document on feedback."""

from service.api.error_forms import INSTAR
from service.api.feedback_inputs import (
    in_the_future,
    no_document_named,
    no_search_or_query,
    no_seconds,
    too_many_events,
)
from service.api.openapi.examples import SEARCH_ID
from service.api.openapi.operation import JSON, SCHEMAS, Operation, failing, requests, success
from service.api.schemas.feedback import FeedbackAnswer, FeedbackEvent, FeedbackRequest
from service.learning.feedback import another_query, no_collection_there, no_document_there, no_search

_BODIES = {
    "a judgement": {"query": "closing the day", "action": "good", "document": "first"},
    "several events": {
        "events": [
            {"query": "closing the day", "action": "click", "document": "first", "user": "u-17", "id": "e-4711"},
            {"query": "closing the day", "action": "dwell", "document": "first", "value": 12.5, "user": "u-17"},
        ]
    },
    "an answer that was of no use": {
        "query": "closing the day",
        "action": "bad",
        "note": "It says nothing of Sundays.",
    },
}
_BODY = {
    "required": True,
    "content": {
        JSON: {
            "schema": {
                "anyOf": [model.model_json_schema(ref_template=SCHEMAS) for model in (FeedbackEvent, FeedbackRequest)]
            },
            "examples": requests(_BODIES),
        }
    },
}

SEND = Operation(
    "Say what users did",
    {
        200: success("The events are durable.", FeedbackAnswer(accepted=1, repeated=0)),
        **failing(
            INSTAR,
            no_search(SEARCH_ID, "search", kept=True),
            no_collection_there("nowhere", "events.0.collection"),
            no_document_there("c999", "default", "events.3.document"),
            another_query("query"),
            no_search_or_query("search"),
            no_document_named("click", "document"),
            no_seconds("value"),
            in_the_future("at"),
            too_many_events(5000, 1000),
        ),
    },
    body=_BODY,
)
