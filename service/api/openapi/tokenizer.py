"""The OpenAPI document on the tokenizer."""

from typing import Any

from service.api.openapi.operation import NAMED, Operation, success

TOKENIZER = Operation(
    "Fetch the tokenizer",
    {
        200: success(
            "The tokenizer, in the form of `tokenizer.json`.",
            {"version": "1.0", "model": {"type": "WordPiece", "vocab": {"[PAD]": 0}}},
            dict[str, Any],
            NAMED,
        )
    },
)
