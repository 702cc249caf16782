"""The OpenAPI document on OpenAI's routes."""

from service.api.error_forms import OPENAI
from service.api.inputs import blank, too_many_texts, wrong_dimensions
from service.api.openapi.errors import BUSY, NOT_FINITE, UNKNOWN_MODEL
from service.api.openapi.examples import MODEL
from service.api.openapi.operation import NAMED, QUANTISED, Operation, failing, success
from service.api.output_dtypes import not_packable
from service.api.schemas.openai import EmbeddingsAnswer, Model, ModelsAnswer
from service.generations.errors import no_name

_MODEL: Model = {
    "id": "active",
    "object": "model",
    "created": 1795446954,
    "owned_by": "instar",
    "checkpoint": MODEL,
}
_EMBEDDINGS: EmbeddingsAnswer = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, -0.7, 0.7]}],
    "model": MODEL,
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}

EMBEDDINGS = Operation(
    "Embed texts, for clients of OpenAI",
    {
        200: success("A vector for each text.", _EMBEDDINGS, EmbeddingsAnswer, NAMED | QUANTISED),
        **failing(
            OPENAI,
            blank("input"),
            wrong_dimensions(384, MODEL),
            not_packable("binary", 100),
            UNKNOWN_MODEL,
            too_many_texts("input", 5000, 4096),
            NOT_FINITE,
            *BUSY,
        ),
    },
    {
        "one text": {"input": "one text", "model": "active", "dimensions": 3},
        "base64": {"input": ["one text", "another"], "encoding_format": "base64"},
        "bits": {"input": ["one text", "another"], "encoding_format": "base64", "output_dtype": "ubinary"},
    },
)
LIST = Operation("List names of models", {200: success("The names.", ModelsAnswer(object="list", data=[_MODEL]))})
READ = Operation(
    "Read one name of a model",
    {200: success("The name.", _MODEL), **failing(OPENAI, no_name("another", ["active"]))},
)
