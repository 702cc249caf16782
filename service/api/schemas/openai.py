"""OpenAI's requests and answers (API reference, Embeddings and Models)."""

from typing import Annotated, Literal

from fastapi import Path
from pydantic import Field
from typing_extensions import TypedDict

from service.api.inputs import (
    DIMENSIONS_DESCRIPTION,
    INPUT_DESCRIPTION,
    OUTPUT_DTYPE_DESCRIPTION,
    ModelName,
    TextsOrTokens,
)
from service.api.schemas.base import BodyModel, Integer
from service.models.quantisation import OutputDtype

Name = Annotated[
    str,
    Path(
        description="the name",
        openapi_examples={"the active one": {"summary": "the active one", "value": "active"}},
    ),
]


class EmbeddingsRequest(BodyModel):
    """Texts to embed."""

    input: TextsOrTokens = Field(description=INPUT_DESCRIPTION)
    model: ModelName = None
    encoding_format: Literal["float", "base64"] = Field(
        "float",
        description="float: numbers; base64: the numbers as little-endian float32, or as bytes of `output_dtype`, in"
        " base64",
    )
    dimensions: Integer | None = Field(None, description=DIMENSIONS_DESCRIPTION)
    output_dtype: OutputDtype = Field("float", description=OUTPUT_DTYPE_DESCRIPTION)
    user: str | None = Field(None, description="accepted and ignored")


class EmbeddedText(TypedDict):
    """The vector of a text."""

    object: Annotated[Literal["embedding"], Field(description="what this is")]
    index: Annotated[int, Field(description="index of the text in the request, from 0")]
    embedding: Annotated[list[float] | str, Field(description="the numbers, or base64 if the request asked for it")]


class Usage(TypedDict):
    """The tokens that the model read."""

    prompt_tokens: Annotated[int, Field(description="tokens of all texts, special ones included")]
    total_tokens: Annotated[int, Field(description="the same number")]


class EmbeddingsAnswer(TypedDict):
    """Vectors, in the order of the texts."""

    object: Annotated[Literal["list"], Field(description="what this is")]
    data: Annotated[list[EmbeddedText], Field(description="a vector for each text")]
    model: Annotated[str, Field(description="id of the checkpoint that answered")]
    usage: Annotated[Usage, Field(description="number of tokens")]


class Model(TypedDict):
    """A name that a request may give as its model."""

    id: Annotated[str, Field(description="active, the id of a checkpoint, or an alias")]
    object: Annotated[Literal["model"], Field(description="what this is")]
    created: Annotated[int, Field(description="when its generation was built, in seconds since 1970")]
    owned_by: Annotated[str, Field(description="always instar")]
    checkpoint: Annotated[str, Field(description="id of the checkpoint that answers by this name")]


class ModelsAnswer(TypedDict):
    """The names of models."""

    object: Annotated[Literal["list"], Field(description="what this is")]
    data: Annotated[list[Model], Field(description="active, then the checkpoints, then the aliases")]
