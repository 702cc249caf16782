"""The OpenAPI document on maps."""

from service.api.error_forms import INSTAR
from service.api.openapi.errors import LONG_BODY
from service.api.openapi.examples import MODEL
from service.api.openapi.operation import NAMED, Operation, failing, header, success
from service.api.schemas.maps import PointsAnswer
from service.errors import InvalidRequest
from service.generations.errors import not_loaded
from service.generations.maps.errors import library_missing, map_under_way, no_map, no_point, nothing_to_draw

_DRAWN = {
    "generation": 1,
    "model": MODEL,
    "state": "drawn",
    "stage": None,
    "done": 0,
    "total": 0,
    "reason": None,
    "at": "2026-11-29T11:05:12Z",
    "seconds": 8.1,
    "shown": 962,
    "gone": 0,
    "new": 3,
    "sampled": False,
    "begun_from": None,
}
_DRAWING = _DRAWN | {"state": "drawing", "stage": "positions", "done": 250, "total": 750}
_NONE = _DRAWN | {"state": "none", "at": None, "seconds": None, "shown": 0, "new": 0}
_NOT_LOADED = not_loaded(9, ["1 (active)", "2 (retained)"])
_WRONG = InvalidRequest("generation: Input should be greater than or equal to 1", "generation")
_REFUSALS = (_NOT_LOADED, no_map(1), _WRONG)

LIST = Operation("List maps", {200: success("The maps.", {"available": True, "maps": [_DRAWN]})})
DRAW = Operation(
    "Draw a map",
    {
        202: success(
            "The drawing has begun.", _DRAWING, headers={"Location": header("where the map is", "/admin/maps/1")}
        ),
        **failing(
            INSTAR,
            map_under_way(1),
            library_missing(),
            nothing_to_draw(1),
            _NOT_LOADED,
            _WRONG,
            LONG_BODY,
        ),
    },
    {"of one generation": {"generation": 1}},
    options={"status_code": 202},
)
READ = Operation("Read about a map", {200: success("The map.", _DRAWN), **failing(INSTAR, _NOT_LOADED, _WRONG)})
DELETE = Operation(
    "Delete a map",
    {200: success("There is none any more.", _NONE), **failing(INSTAR, _NOT_LOADED, _WRONG)},
)
POINTS = Operation(
    "Read the points of a map",
    {
        200: success(
            "The points.",
            {
                "document": [1, 2, 5],
                "x": [-8120, 140, 9904],
                "y": [3301, -52, -1207],
                "group": [0, 0, 1],
                "groups": [{"value": "default", "documents": 2}, {"value": "notes", "documents": 1}],
            },
            PointsAnswer,
            NAMED,
        ),
        **failing(INSTAR, *_REFUSALS, InvalidRequest("key contains the character U+0000: remove it", "key")),
    },
)
QUESTIONS = Operation(
    "Read the questions on a map",
    {
        200: success(
            "The questions.",
            {
                "questions": [
                    {
                        "query": "How do I count my stock again?",
                        "collection": "default",
                        "x": -2410,
                        "y": 5003,
                        "judged": True,
                        "first_good": 2,
                        "searches": 41,
                    }
                ]
            },
        ),
        **failing(INSTAR, *_REFUSALS),
    },
)
DOCUMENT = Operation(
    "Find the document of a point",
    {
        200: success("The document.", {"id": "guide/7", "collection": "default"}),
        **failing(INSTAR, _NOT_LOADED, no_point(1, 7), _WRONG),
    },
)
