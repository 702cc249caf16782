"""The OpenAPI document on collections."""

from service.api.error_forms import INSTAR
from service.api.openapi.operation import Operation, failing, success
from service.api.schemas.collections import Collection, CollectionsAnswer, Ended
from service.corpus.errors import collection_gone

LIST = Operation(
    "List collections",
    {200: success("The collections.", CollectionsAnswer(collections=[Collection(name="default", documents=330)]))},
)
DELETE = Operation(
    "Delete a collection",
    {
        200: success("It is gone for good.", Ended(deleted=330, judgements=0)),
        **failing(INSTAR, collection_gone("notes", ["default"])),
    },
)
