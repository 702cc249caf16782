"""The OpenAPI document on generations."""

from service.api.openapi.examples import GENERATION
from service.api.openapi.operation import Operation, success

LIST = Operation(
    "List generations",
    {200: success("The generations.", {"generations": [GENERATION | {"loaded": True}], "reranker": None})},
)
