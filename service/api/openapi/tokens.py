"""The OpenAPI document on tokenizing."""

from service.api.error_forms import TEI
from service.api.inputs import blank
from service.api.openapi.embed import READING
from service.api.openapi.operation import NAMED, Operation, failing, success
from service.models.base import Token

TOKENIZE = Operation(
    "Tokenize texts",
    {
        200: success(
            "For each text its tokens.",
            [[{"id": 3521, "text": "stock", "special": False, "start": 0, "stop": 5}]],
            list[list[Token]],
            NAMED,
        ),
        **failing(TEI, blank("inputs"), *READING),
    },
    {"one text": {"inputs": "stock", "add_special_tokens": False}},
)
DECODE = Operation(
    "Turn token ids into text",
    {200: success("A text for each list of ids.", ["stock"], list[str], NAMED), **failing(TEI, *READING)},
    {"one text": {"ids": [101, 4518, 102]}},
)
