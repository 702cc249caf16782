"""Requests of text-embeddings-inference (1.9), which also have `input_type` and `model`."""

from typing import Annotated

from pydantic import BeforeValidator, Field, StrictBool

from service.api.inputs import (
    DIMENSIONS_DESCRIPTION,
    INPUT_DESCRIPTION,
    OUTPUT_DTYPE_DESCRIPTION,
    ModelName,
    TextsOrTokens,
)
from service.api.schemas.base import BodyModel, Integer
from service.api.schemas.fields import lower
from service.models.base import Direction, Side
from service.models.quantisation import OutputDtype

PromptName = Annotated[
    str | None,
    Field(
        description="name of the checkpoint's prompt that is put before each text; default: the checkpoint's own choice"
    ),
]


class Reading(BodyModel):
    """The fields that say how texts are read."""

    truncate: StrictBool | None = Field(
        None, description="false: a text that is longer than the model reads is an error"
    )
    truncation_direction: Annotated[Direction | None, BeforeValidator(lower)] = Field(
        None, description="the end at which a longer text is cut; default: the checkpoint's own"
    )
    prompt_name: PromptName = None
    model: ModelName = None


class EmbedAllRequest(Reading):
    """Texts to embed token by token."""

    inputs: TextsOrTokens = Field(description=INPUT_DESCRIPTION)


class EmbedRequest(EmbedAllRequest):
    """Texts to embed. `input_type` says whether they are queries or documents."""

    normalize: StrictBool = Field(True, description="give the vectors unit length")
    dimensions: Integer | None = Field(None, description=DIMENSIONS_DESCRIPTION)
    input_type: Side | None = Field(None, description="query or document: apply the checkpoint's prompt for it")
    output_dtype: OutputDtype = Field("float", description=OUTPUT_DTYPE_DESCRIPTION)


class Compared(BodyModel):
    """A sentence, and others to compare it with."""

    source_sentence: str = Field(description="the sentence that each of the others is compared with")
    sentences: list[str] = Field(description="the others")


class SimilarityRequest(BodyModel):
    """Sentences to compare."""

    inputs: Compared = Field(description="the sentences")
    parameters: Reading = Field(Reading(), description="how they are read")
    model: ModelName = None
