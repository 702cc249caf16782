"""Bodies that collectors of User Behavior Insights send: the field names, nulls, empty texts and times are theirs.

A click is on the document "b", which its search has shown second.
"""

import json
from typing import Any

QUERY_ID = "12300d16cb-b6f1-4012-93ebcc49cac90426"
CLIENT = "c4af7ca2-d6d2-4326-a41f-e616ebdd3d7b"
SESSION = "84266fdbd31d4c2c6d0665f7e8380fa3"
ASKED = "closing the day"

# The plugin of OpenSearch to Data Prepper: Java's names, and a zone without a colon.
PLUGIN_QUERY = json.dumps(
    [
        {
            "application": None,
            "clientId": CLIENT,
            "query": '{"query":{"match":{"text":{"query":"closing the day"}}}}',
            "queryAttributes": {"experiment_id": "12345"},
            "queryId": QUERY_ID,
            "queryResponse": {
                "queryId": QUERY_ID,
                "queryResponseHitIds": ["a", "b", "c"],
                "queryResponseId": "e4bdd289-0875-421f-bc34-aa71eb8e1cb3",
            },
            "timestamp": "2026-11-28T10:20:30.456+0000",
            "userQuery": ASKED,
        }
    ]
)
# The same one as the plugin writes it into the index ubi_queries.
INDEXED_QUERY = json.dumps(
    {
        "_index": "ubi_queries",
        "_id": "6CrooY8BzxoaOvIPKtWj",
        "_source": {
            "query_response_id": "e4bdd289-0875-421f-bc34-aa71eb8e1cb3",
            "user_query": ASKED,
            "query_id": QUERY_ID,
            "query_response_hit_ids": ["a", "b", "c"],
            "client_id": CLIENT,
            "application": "",
            "query_attributes": {"experiment_id": "12345"},
            "timestamp": "2026-11-28T10:20:30.456+0000",
        },
    }
)
# ubi.js, the collector for browsers: an array of one, and a query without what was shown.
JAVASCRIPT_QUERY = json.dumps(
    [
        {
            "application": "help",
            "query_id": QUERY_ID,
            "client_id": CLIENT,
            "user_query": ASKED,
            "query_attributes": {},
            "object_id_field": "id",
            "timestamp": "2026-11-28T10:20:30.456Z",
        }
    ]
)


def javascript_event(action: str, document: str | None, ordinal: int, **more: Any) -> dict[str, Any]:
    """An event of ubi.js."""
    event: dict[str, Any] = {
        "application": "help",
        "action_name": action,
        "query_id": QUERY_ID,
        "session_id": SESSION,
        "client_id": CLIENT,
        "user_id": "",
        "timestamp": "2026-11-28T10:20:39.120Z",
        "message_type": "INFO",
        "message": f"{action} on {document}",
        "event_attributes": {
            "object": {"object_id": document, "object_id_field": "id", "description": "A title", "search_config": None},
            "position": {"ordinal": ordinal},
        },
    }
    return {**event, **more}


JAVASCRIPT_CLICK = json.dumps([javascript_event("click", "b", 2)])
# Of Chorus: the search is not known, and neither is the product.
HOVER = json.dumps(
    [
        {
            "action_name": "product_hover",
            "client_id": "USER-eeed-43de-959d-90e6040e84f9",
            "query_id": None,
            "page_id": "/",
            "message_type": "INFO",
            "message": "Integral 2GB SD Card memory card (undefined)",
            "timestamp": 1724944081669,
            "event_attributes": {
                "object": {"object_id_field": "product", "object_id": "1625640", "object_detail": None},
                "position": None,
                "browser": None,
                "session_id": None,
                "page_id": None,
                "dwell_time": None,
            },
        }
    ]
)
# The sample of the schema, with the id of the search.
PAGE_EXIT = json.dumps(
    {
        "action_name": "page_exit",
        "user_id": "1821196507152684",
        "query_id": QUERY_ID,
        "session_id": "c3d22be7-6bdc-4250-91e1-fc8a92a9b1f9",
        "page_id": "/docs/latest/",
        "timestamp": "2024-05-16T12:34:56.789Z",
        "message_type": "INFO",
        "message": "On page /docs/latest/ for 3.35 seconds",
        "event_attributes": {
            "position": {},
            "object": {"idleTimeoutMs": 5000, "isUserCurrentlyIdle": False, "timeElapsedCallbacks": []},
        },
    }
)
# On Amazon's pipelines a type says what the object is, and there is no time.
TYPED_CLICK = json.dumps(
    [
        {
            "type": "event",
            "action_name": "click",
            "query_id": QUERY_ID,
            "event_attributes": {
                "position": {"ordinal": 1},
                "object": {"object_id": "b", "object_id_field": "ean", "user_id": "abc"},
            },
        }
    ]
)


def bulk(index: str, *rows: dict[str, Any]) -> str:
    """Rows as the plugin's generator of data writes them for the call _bulk of OpenSearch."""
    action = json.dumps({"index": {"_index": index, "_id": "0349b478-4a53-456c-aaf7-c08c82004b66"}})
    return "".join(f"{action}\n{json.dumps(row)}\n" for row in rows)


def seen(document: str, place: int, query: int, action: str = "impression") -> dict[str, Any]:
    """An event of that generator: a document that came into view, or was clicked. Places count from 0."""
    return {
        "application": "esci_ubi_sample",
        "action_name": action,
        "query_id": f"33198ee9-{query}",
        "session_id": f"session-{query}",
        "client_id": f"127c9afc-{query}",
        "timestamp": "2026-11-28T10:20:30.456Z",
        "user_query": ASKED,
        "message_type": None,
        "message": None,
        "event_attributes": {
            "object": {"object_id": document, "object_id_field": "product_id", "search_config": "teamA"},
            "position": {"ordinal": place},
        },
    }


def asked(query: int) -> dict[str, Any]:
    """A query of that generator, without what was shown."""
    return {
        "application": "esci_ubi_sample",
        "query_id": f"33198ee9-{query}",
        "client_id": f"127c9afc-{query}",
        "user_query": ASKED,
        "query_attributes": {},
        "timestamp": "2026-11-28T10:20:30.456Z",
    }
