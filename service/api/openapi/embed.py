"""The OpenAPI document on the routes of text-embeddings-inference."""

from service.api.error_forms import TEI
from service.api.inputs import no_texts, too_many_texts
from service.api.openapi.errors import BUSY, NOT_FINITE, UNKNOWN_MODEL
from service.api.openapi.operation import NAMED, QUANTISED, Operation, failing, header, success
from service.api.output_dtypes import not_packable
from service.errors import InvalidRequest

_COUNTED = {
    "x-compute-type": header("cpu or gpu", "cpu"),
    "x-compute-time": header("milliseconds that the request took", 5),
    "x-total-time": header("milliseconds that the request took", 5),
    "x-compute-characters": header("characters of all texts", 8),
    "x-compute-tokens": header("tokens that the model read, special ones included", 4),
}
_ENCODED = _COUNTED | {
    "x-tokenization-time": header("milliseconds of tokenizing", 1),
    "x-inference-time": header("milliseconds of encoding, the time in the queue included", 4),
}
READING = (
    InvalidRequest("prompt_name: Input should be a valid string", "prompt_name"),
    too_many_texts("inputs", 5000, 4096),
    UNKNOWN_MODEL,
)
_EMBEDDING = (no_texts("inputs"), *READING, *BUSY)

EMBED = Operation(
    "Embed texts",
    {
        200: success("A vector for each text.", [[0.1, -0.7, 0.7]], list[list[float]], NAMED | _ENCODED | QUANTISED),
        **failing(TEI, not_packable("binary", 100), *_EMBEDDING, NOT_FINITE),
    },
    {
        "one text": {"inputs": "How do I count my stock again?"},
        "documents": {"inputs": ["one text", "another"], "input_type": "document", "dimensions": 3},
        "small": {"inputs": ["one text", "another"], "input_type": "document", "output_dtype": "int8"},
    },
)
EMBED_ALL = Operation(
    "Embed each token",
    {
        200: success(
            "For each text, a vector for each of its tokens.",
            [[[0.2, -0.1, 0.4], [0.3, 0.0, -0.5]]],
            list[list[list[float]]],
            NAMED | _COUNTED,
        ),
        **failing(TEI, *_EMBEDDING),
    },
    {"one text": {"inputs": "one text"}},
)
SIMILARITY = Operation(
    "Compare sentences",
    {
        200: success("A cosine for each sentence.", [0.68, 0.05], list[float], NAMED | _ENCODED),
        **failing(TEI, *_EMBEDDING, NOT_FINITE),
    },
    {"two sentences": {"inputs": {"source_sentence": "count the stock", "sentences": ["stocktaking", "a parcel"]}}},
)
EITHER = Operation("Embed or compare", {}, options={"include_in_schema": False})
