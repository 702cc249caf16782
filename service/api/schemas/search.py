"""`POST /search`: queries, and the documents that answer them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, NotRequired, Self

from pydantic import ConfigDict, Field, StrictBool, model_validator
from typing_extensions import TypedDict

from service.api.inputs import ModelName
from service.api.schemas.base import BodyModel, Integer, Number
from service.api.schemas.documents import StoredDocument
from service.api.schemas.rerank import RerankerName
from service.api.schemas.spans import Span
from service.corpus.balance import BalanceSource
from service.corpus.base import DEFAULT_COLLECTION
from service.search.fusion import Fusion
from service.search.retrieval import Component, Mode

MAX_RANKED = 100
MAX_GROUP = 1000
MAX_FACETS = 16
MAX_VALUES = 1000
# A part of a search, the search as a whole before a reranker ordered it, and the reranker.
ExplainedStage = Component | Literal["first", "rerank"]
# Documents that a reranker reads unless a request says another number.
RERANK_TOP = 50


class PartWeights(BodyModel):
    """The weight of each part of a hybrid search."""

    model_config = ConfigDict(extra="forbid")

    dense: Number = Field(ge=0, le=1000, description="weight of the part by vector")
    keyword: Number = Field(ge=0, le=1000, description="weight of the part by keyword")

    @model_validator(mode="after")
    def _one_counts(self) -> Self:
        if not self.dense + self.keyword:
            raise ValueError("one of the weights must be above 0")
        return self


class RerankTop(BodyModel):
    """A second stage, in which a reranker reads what was found."""

    model_config = ConfigDict(extra="forbid")

    top: Integer = Field(RERANK_TOP, ge=1, description="so many of the first documents are read and ordered")
    model: RerankerName = None


class SearchRequest(BodyModel):
    """A search: its queries, its documents, and the details of its results."""

    model_config = ConfigDict(extra="forbid")

    query: str | list[str] = Field(description="a query, or several, which are searched as one batch")
    query_vector: list[Number] | list[list[Number]] | None = Field(
        None,
        description="the vector of the query, or one for each query, made by the checkpoint that answers: name it in"
        " `model`",
    )
    model: ModelName = None
    generation: Integer | None = Field(
        None, description="number of the generation that is to answer: active, retained, or in the shadow"
    )
    k: Integer = Field(10, ge=1, description="most results of a query")
    offset: Integer = Field(0, ge=0, description="results to skip at the beginning, for pages")
    mode: Mode | None = Field(
        None,
        description="dense: by vector; keyword: by BM25; hybrid: by both; without it, what `INSTAR_MODE` says, but"
        " dense in place of hybrid if there is a `min_score` and no reranker",
    )
    fusion: Fusion = Field(
        "score",
        description="hybrid: score: the weighted mean of the cosine and of BM25 as a share of its maximum; rank: of"
        " reciprocal ranks",
    )
    weights: PartWeights | None = Field(
        None,
        description="weights of the parts of a hybrid search; by default those of the generation and the collection"
        " (`weights` in `GET /info`) for scores, and 1 to 0.1 for ranks",
    )
    filter: dict[str, Any] | None = Field(None, description='metadata conditions such as {"year": {"gte": 2024}}')
    collection: str = Field(DEFAULT_COLLECTION, description="the documents' collection")
    min_score: Number | None = Field(None, description="leave out results with a lower score")
    diversity: Number = Field(
        0, ge=0, le=1, description="0: by relevance alone; above 0: fewer results that are like a better one (MMR)"
    )
    group_by: str | None = Field(
        None,
        min_length=1,
        description="a metadata key, nested ones as `a.b`: at most `group_size` results have the same value of it; not"
        " with `diversity` or `rank_of`",
    )
    group_size: Integer = Field(1, ge=1, le=MAX_GROUP, description="most results of each value of `group_by`")
    facets: list[Annotated[str, Field(min_length=1)]] | None = Field(
        None,
        max_length=MAX_FACETS,
        description="metadata keys, nested ones as `a.b`: count the values of each among all documents that pass the"
        " filter and, in keyword mode, have a word of the query",
    )
    facet_limit: Integer = Field(10, ge=1, le=MAX_VALUES, description="most values of each of `facets`")
    rerank: RerankTop | StrictBool | None = Field(
        None,
        description="let the reranker order the first documents of the search; false: do not, though it is the default",
    )
    returned: Literal["documents", "passages"] = Field(
        "documents",
        alias="return",
        description="documents: the text of a result is the document's; passages: of a document that is longer than the"
        " model reads, it is the passage that answers best",
    )
    neighbours: Integer = Field(
        0, ge=0, le=16, description="passages: so many windows before and after the passage are part of it"
    )
    highlight: StrictBool = Field(False, description="add the spans of the query's telling words in each text")
    explain: StrictBool = Field(
        False,
        description="add the rank and the score of each result in each part of the search, and the weights of a hybrid"
        " search",
    )
    rank_of: list[str] | None = Field(
        None,
        max_length=MAX_RANKED,
        description="ids of documents: add the rank of each, however far down; not with `diversity` or `group_by`",
    )

    user: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="opaque name of who asks, kept as a keyed hash with the search, so that it can be forgotten",
    )
    session: str | None = Field(
        None, min_length=1, max_length=128, description="opaque name of the conversation, kept as a keyed hash"
    )
    log: StrictBool = Field(True, description="false: do not keep this search in the search log")

    @model_validator(mode="after")
    def _neighbours_of_passages(self) -> Self:
        if self.neighbours and self.returned != "passages":
            raise ValueError('neighbours are windows around a passage: send "return": "passages" as well')
        return self


class Standing(TypedDict):
    """The rank and the score of a result in one part of the search."""

    rank: Annotated[
        int,
        Field(
            description="its rank there, from 1; with `group_by`, documents that were left out may not count, because"
            " they were not looked at"
        ),
    ]
    score: Annotated[float, Field(description="its cosine or its BM25")]


class Result(StoredDocument):
    """A document that was found."""

    score: Annotated[
        float,
        Field(description="dense: the cosine; keyword: BM25; hybrid: their fusion; reranked: the reranker's"),
    ]
    passage: NotRequired[
        Annotated[
            Span,
            Field(
                description="[start, end) of the part of the document's text that answers best, in characters; only if"
                " the document is longer than the model reads"
            ),
        ]
    ]
    highlights: NotRequired[
        Annotated[
            Sequence[Span],
            Field(
                description="[start, end) of the query's words in the text, in characters, without those that are so"
                " frequent in the collection that they say little; with `highlight`"
            ),
        ]
    ]
    explain: NotRequired[
        Annotated[
            dict[ExplainedStage, Standing],
            Field(
                description="its rank and score in each part of the search that found it; in a reranked search also in"
                " the whole of that search (`first`), and by the reranker (`rerank`); with `explain`"
            ),
        ]
    ]
    searchable: NotRequired[
        Annotated[
            Span,
            Field(
                description="[start, end) of the part of the document's text that a search by vector can find, in"
                " characters; with `explain`, and only if the rest was cut"
            ),
        ]
    ]


class AppliedWeights(TypedDict):
    """The weights of the parts of a hybrid search, and where they come from."""

    dense: Annotated[float, Field(description="weight of the part by vector")]
    keyword: Annotated[float, Field(description="weight of the part by keyword")]
    source: Annotated[
        BalanceSource | Literal["request"],
        Field(
            description="request: they were sent; fitted: on judged queries; estimated: by questions made of the"
            " documents; default: nothing is known of the collection yet"
        ),
    ]


class Place(TypedDict):
    """The rank of a document of `rank_of`, whether it is among the results or not."""

    id: Annotated[str, Field(description="its id")]
    rank: Annotated[
        int | None, Field(description="its rank in the whole ranking, from 1, which ignores `offset` and `min_score`")
    ]
    score: Annotated[float | None, Field(description="its score in the mode of the search")]
    reason: Annotated[str | None, Field(description="reason why it has no rank; null: it has one")]


class FacetValue(TypedDict):
    """A value of a metadata key."""

    value: Annotated[str | int | float | bool, Field(description="the value, or an element of a list")]
    count: Annotated[int, Field(description="documents that have it")]


class SearchAnswer(TypedDict):
    """The results, all of one generation."""

    generation: Annotated[int, Field(description="number of the generation that answered")]
    model: Annotated[str, Field(description="id of the checkpoint that answered")]
    mode: Annotated[Mode, Field(description="mode of the search")]
    weights: NotRequired[Annotated[AppliedWeights, Field(description="weights of a hybrid search; with `explain`")]]
    search: NotRequired[
        Annotated[
            str | list[str],
            Field(
                description="id of the search in the search log, for feedback; a list with one for each query if the"
                " request has a list of queries; absent if the search is not kept"
            ),
        ]
    ]
    reranker: NotRequired[Annotated[str, Field(description="id of the reranker that ordered the results, if one did")]]
    results: Annotated[
        Sequence[Result | Sequence[Result]],
        Field(description="best first; a list for each query if the request has a list of queries"),
    ]
    facets: NotRequired[
        Annotated[
            dict[str, Sequence[FacetValue]] | Sequence[dict[str, Sequence[FacetValue]]],
            Field(
                description="by key of `facets` its values, the most frequent first; strings of over 512 characters"
                " are left out; a list of such objects, one for each query, if the request has a list of queries"
            ),
        ]
    ]
    behind: NotRequired[
        Annotated[
            int,
            Field(
                description="documents of the collection that were written too late for this generation to find them;"
                " if the request names a model or a generation"
            ),
        ]
    ]
    rank_of: NotRequired[
        Annotated[
            Sequence[Place | Sequence[Place]],
            Field(description="the documents of `rank_of`, in its order; a list for each query if there are several"),
        ]
    ]
