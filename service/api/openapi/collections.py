"""The OpenAPI document on collections."""

from service.api.error_forms import INSTAR
from service.api.openapi.operation import Operation, failing, success
from service.api.schemas.collections import Ended
from service.corpus.errors import collection_gone

_COLLECTION = {"name": "default", "documents": 330, "cut": 0, "written": "2026-11-28T12:00:00.501234Z"}

LIST = Operation(
    "List collections",
    {200: success("The collections.", {"collections": [_COLLECTION]})},
)
DELETE = Operation(
    "Delete a collection",
    {
        200: success("It is gone for good.", Ended(deleted=330, judgements=0)),
        **failing(INSTAR, collection_gone("notes", ["default"])),
    },
)
