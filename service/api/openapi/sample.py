"""The OpenAPI document on the sample."""

from service.api.error_forms import INSTAR
from service.api.openapi.errors import BUSY, LONG_BODY
from service.api.openapi.operation import Operation, failing, success
from service.api.schemas.sample import SampleAnswer
from service.corpus.errors import collection_in_use
from service.errors import InvalidRequest

_NO_NAME = InvalidRequest("collection: String should have at least 1 character", "collection")

ADD = Operation(
    "Add the sample",
    {
        200: success(
            "The documents can be searched, and the checkpoint can be reloaded.",
            SampleAnswer(documents=382, checkpoint="all-MiniLM-L6-v2-256"),
        ),
        **failing(INSTAR, collection_in_use("default", 330), _NO_NAME, LONG_BODY, *BUSY),
    },
    {"a collection": {"collection": "demo"}},
)
