"""Requests and answers of rerankers: those of text-embeddings-inference, and those of Cohere and Jina."""

from typing import Annotated, Any, NotRequired

from pydantic import BeforeValidator, Field, StrictBool
from typing_extensions import TypedDict

from service.api.schemas.base import BodyModel, Integer
from service.api.schemas.fields import lower
from service.models.base import Direction

RerankerName = Annotated[str | None, Field(description="active, the id of the reranker, or an alias; default: active")]


class RerankRequest(BodyModel):
    """A query, and texts to score, as text-embeddings-inference takes them."""

    query: str = Field(description="the query")
    texts: list[str] = Field(description="the texts")
    raw_scores: StrictBool = Field(False, description="give the model's logit in place of its sigmoid")
    return_text: StrictBool = Field(False, description="add each text to its score")
    truncate: StrictBool | None = Field(
        None,
        description="true: a text that is longer than the model reads beside the query is cut; false: it is an error;"
        " default: it is read in windows, and its best one counts",
    )
    truncation_direction: Annotated[Direction, BeforeValidator(lower)] = Field(
        "right", description="with `truncate`: the end at which a longer text is cut"
    )
    model: RerankerName = None


class Rank(TypedDict):
    """The score of a text."""

    index: Annotated[int, Field(description="the text's place in the request, from 0")]
    score: Annotated[float, Field(description="how well it answers the query, 0 to 1; with `raw_scores` the logit")]
    text: NotRequired[Annotated[str, Field(description="the text; with `return_text`")]]


class RelevanceRequest(BodyModel):
    """A query, and documents to score, as Cohere and Jina take them. Further fields are accepted and ignored."""

    query: str = Field(description="the query")
    documents: list[str | dict[str, Any]] = Field(description="the documents: texts, or objects that have a text")
    model: RerankerName = None
    top_n: Integer | None = Field(None, ge=1, description="give so many of the best; default: all")
    return_documents: StrictBool = Field(False, description="add each document to its score")
    rank_fields: list[str] = Field(
        ["text"], min_length=1, description="the fields of an object that are its text, in this order"
    )
    max_chunks_per_doc: Integer | None = Field(
        None, ge=1, description="most windows of a document that is longer than the model reads beside the query"
    )


class Relevance(TypedDict):
    """The score of a document."""

    index: Annotated[int, Field(description="the document's place in the request, from 0")]
    relevance_score: Annotated[float, Field(description="how well it answers the query, 0 to 1")]
    document: NotRequired[
        Annotated[dict[str, Any], Field(description="the document as an object; with `return_documents`")]
    ]


class Version(TypedDict):
    """The version of Cohere's API."""

    version: Annotated[str, Field(description="the version")]


class Billed(TypedDict):
    """Cohere's count of requests."""

    search_units: Annotated[int, Field(description="1")]


class Meta(TypedDict):
    """Cohere's figures."""

    api_version: Annotated[Version, Field(description="version of Cohere's API")]
    billed_units: Annotated[Billed, Field(description="Cohere's count")]


class RerankUsage(TypedDict):
    """Jina's figures."""

    prompt_tokens: Annotated[int, Field(description="tokens that the model read, the query's with each document")]
    total_tokens: Annotated[int, Field(description="the same number")]


class RelevanceAnswer(TypedDict):
    """The scores, in the forms of Cohere and Jina at once."""

    id: Annotated[str, Field(description="a new id")]
    model: Annotated[str, Field(description="id of the reranker")]
    results: Annotated[list[Relevance], Field(description="best first")]
    meta: Annotated[Meta, Field(description="Cohere's figures")]
    usage: Annotated[RerankUsage, Field(description="Jina's figures")]
