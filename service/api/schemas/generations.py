"""`/admin/generations`: all generations, and the one that is being built."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from service.corpus.base import GenerationRecord
from service.generations.rerankers import RerankerRecord


class UnderWay(BaseModel):
    """A generation that a reload builds, or that is in the shadow."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    generation: int | None = Field(
        None, description="number that a search can name while it is in the shadow; null: it is being built"
    )
    state: Literal["building", "shadow"] = Field(description="building: not complete; shadow: it answers unseen")
    job: str = Field(description="id of the reload")
    model: str = Field(description="id of its checkpoint; before that is known, the name in the request of the reload")
    fingerprint: str | None = Field(description="hash of all that decides a document's vector; null: not known yet")
    documents: int = Field(description="documents whose vectors it has")


class ListedGeneration(GenerationRecord):
    """The record of a generation, and whether it is in memory."""

    loaded: bool = Field(
        description="whether it can answer here; false of a retained one: the start has left it out, because it could"
        " not be loaded then; each of several replicas says it of itself"
    )


class GenerationsAnswer(TypedDict):
    """All generations, former ones included."""

    generations: Annotated[
        list[ListedGeneration | UnderWay],
        Field(description="the latest activation first, and at the end the one that is being built or in the shadow"),
    ]
    reranker: Annotated[
        RerankerRecord | None,
        Field(description="the reranker, which reranks what any of them has found; null: none does"),
    ]
