"""`/info`: the checkpoint, its generation, and the number of documents."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from service.api.schemas.fields import ACTIVATED_BY, FINGERPRINT, LINEAGE
from service.corpus.balance import Balance
from service.generations.rerankers import RerankerRecord
from service.reload.job import Job
from service.settings.groups import Keep


class Kind(TypedDict):
    """The pooling of an embedding model."""

    pooling: Annotated[str, Field(description="the way in which the vectors of tokens become one")]


class ModelType(TypedDict):
    """The kind of the model, for clients of text-embeddings-inference."""

    embedding: Annotated[Kind, Field(description="it is an embedding model")]


class SearchLogState(TypedDict):
    """The log of searches."""

    keep: Annotated[Keep, Field(description="searches that it keeps, as `INSTAR_SEARCHES__KEEP` says")]
    failure: Annotated[str | None, Field(description="why it has stopped; null: it has not")]


class JudgedQueries(TypedDict):
    """The queries that somebody or something has judged, whoever it was and however many documents."""

    queries: Annotated[int, Field(description="number of judged queries")]
    judging: Annotated[int, Field(description="number of these that reloads are judged by: the side judge")]


class Info(TypedDict):
    """The checkpoint, its generation, and the number of documents."""

    version: Annotated[str, Field(description="version of the service")]
    model: Annotated[str, Field(description="id of the active checkpoint")]
    generation: Annotated[int, Field(description="number of the active generation")]
    fingerprint: Annotated[str, Field(description=FINGERPRINT)]
    dimensions: Annotated[int, Field(description="dimensions of its vectors")]
    engine: Annotated[str, Field(description="engine that computes them, and its precision")]
    engine_reason: Annotated[
        str, Field(description="why that engine: its least cosine to torch, and how fast a less exact one is")
    ]
    max_length: Annotated[int, Field(description="most tokens of a text that the model reads, special ones included")]
    prompts: Annotated[dict[str, str], Field(description="prompts that can be put before a text, by name")]
    retained: Annotated[list[str], Field(description="ids of former checkpoints that still answer, the latest first")]
    documents: Annotated[int, Field(description="documents in all collections")]
    windows: Annotated[
        int,
        Field(
            description="windows of the documents that the active generation finds: more than documents, if some"
            " are longer than it reads"
        ),
    ]
    collections: Annotated[dict[str, int], Field(description="documents in each collection")]
    recall: Annotated[dict[str, float], Field(description="recall@10 of each collection that has an HNSW index")]
    judged: Annotated[JudgedQueries, Field(description="the queries with judgements, in all collections")]
    weights: Annotated[
        dict[str, Balance],
        Field(description="weights of the parts of a hybrid search, by collection; others have the default, 1 to 1"),
    ]
    activated: Annotated[datetime | None, Field(description="when the generation became active")]
    activated_by: Annotated[
        str | None,
        Field(description=ACTIVATED_BY),
    ]
    reranker: Annotated[
        RerankerRecord | None, Field(description="the reranker that scores pairs and reranks searches; null: none does")
    ]
    search_log: Annotated[SearchLogState, Field(description="the log of searches")]
    reload: Annotated[Job | None, Field(description="the job of the running reload; null: none runs")]
    warnings: Annotated[
        list[str], Field(description="what operators should know of the active generation, a sentence each")
    ]
    lineage: Annotated[dict[str, Any], Field(description=LINEAGE)]
    # Clients of text-embeddings-inference look for the fields below.
    model_id: Annotated[str, Field(description="name of the checkpoint")]
    model_sha: Annotated[str, Field(description="12 digits of its content hash")]
    model_dtype: Annotated[str, Field(description="precision of its numbers")]
    served_model_name: Annotated[str, Field(description="the same as `model`")]
    model_type: Annotated[ModelType, Field(description="kind of the model")]
    max_input_length: Annotated[int, Field(description="the same as `max_length`")]
    max_batch_tokens: Annotated[int, Field(description="most tokens in one interactive batch")]
    max_batch_requests: Annotated[int | None, Field(description="always null: there is no limit")]
    max_client_batch_size: Annotated[int, Field(description="most texts in one request")]
    max_concurrent_requests: Annotated[int | None, Field(description="always null: there is no limit")]
    auto_truncate: Annotated[bool, Field(description="texts that are too long are cut")]
    tokenization_workers: Annotated[int, Field(description="threads that tokenize")]
