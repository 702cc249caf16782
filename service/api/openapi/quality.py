"""The OpenAPI document on quality."""

from service.api.error_forms import INSTAR
from service.api.openapi.errors import UNKNOWN_COLLECTION
from service.api.openapi.examples import MODEL
from service.api.openapi.operation import Operation, failing, success
from service.errors import InvalidRequest

_FIGURES = {
    "queries": 102,
    "ndcg": 0.71,
    "ndcg_interval": [0.66, 0.76],
    "recall": 0.82,
    "recall_interval": [0.77, 0.87],
    "coverage": 0.34,
}
_AT = "2026-11-28T19:05:12Z"

MEASURE = Operation(
    "What does a model get wrong?",
    {
        200: success(
            "Its figures, and the judged queries that it answers worst.",
            {
                "generation": 1,
                "model": MODEL,
                "mode": "dense",
                "side": "judge",
                "state": "measured",
                "done": 0,
                "total": 0,
                "at": _AT,
                "figures": _FIGURES,
                "obstacle": None,
                "by_collection": [{"collection": "default", "figures": _FIGURES}],
                "queries": [
                    {
                        "query": "How do I count my stock again?",
                        "collection": "default",
                        "ndcg": 0.0,
                        "recall": 0.0,
                        "good": 1,
                        "good_shown": 0,
                        "first_good": None,
                        "judged": 3,
                        "shown": 10,
                    }
                ],
            },
        ),
        **failing(
            INSTAR,
            UNKNOWN_COLLECTION,
            InvalidRequest("offset: Input should be greater than or equal to 0", "offset"),
        ),
    },
)
HISTORY = Operation(
    "How has quality changed?",
    {
        200: success(
            "What was measured.",
            {
                "points": [
                    {
                        "generation": 1,
                        "model": MODEL,
                        "at": _AT,
                        "source": "measured",
                        "mode": "dense",
                        "figures": _FIGURES,
                    }
                ]
            },
        )
    },
)
