"""`/admin/sample`: the sample, brought into the service."""

from typing import Annotated

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api.schemas.base import BodyModel
from service.corpus.base import DEFAULT_COLLECTION


class SampleRequest(BodyModel):
    """The collection for the sample."""

    model_config = ConfigDict(extra="forbid")

    collection: str = Field(
        DEFAULT_COLLECTION, min_length=1, max_length=128, description="a collection that has no documents yet"
    )


class SampleAnswer(TypedDict):
    """The sample that is there now."""

    documents: Annotated[int, Field(description="number of documents that were written")]
    checkpoint: Annotated[
        str | None, Field(description="name of the checkpoint to reload; null: the base model is not installed")
    ]
