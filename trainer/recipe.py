"""A recipe for training: every setting that decides the result, and nothing about where files lie.

Two runs with equal recipe and equal data give the same checkpoint.
"""

import hashlib
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from service.checkpoints.bundled import BASE
from service.checkpoints.model_kind import Kind

LossName = Literal[
    "auto",
    "multiple-negatives",
    "cached-multiple-negatives",
    "gist",
    "triplet",
    "online-contrastive",
    "contrastive",
    "cosine",
    "binary-cross-entropy",
    "lambda",
]
Mode = Literal["full", "query-adapter", "lora"]
Precision = Literal["auto", "bf16", "fp32"]
SplitMode = Literal["auto", "given", "by-component", "by-query"]

ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
# The most documents of a ranking that a reranker can be given.
MOST_CANDIDATES = 100
# Settings of rerankers. The others had none of them, and keep the ids and digests that they have always had.
_OF_RERANKERS = frozenset({"kind", "retriever", "candidates"})


class Recipe(BaseModel):
    """The settings of a run. A field's description is the help text of its flag."""

    GROUP: ClassVar[str] = "training"

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind = Field("dense", description="dense: an embedding model; reranker: a cross-encoder")
    base: str = Field(BASE, description="model to start from: a folder, a zip or a Hugging Face name")
    retriever: str = Field(
        BASE, description="embedding model that a reranker stands behind: it finds candidates and hard negatives"
    )
    candidates: int = Field(
        50, ge=1, le=MOST_CANDIDATES, description="first documents of the retriever that a reranker puts in order"
    )
    seed: int = Field(13, ge=0, description="seed of the random numbers: an equal one repeats the run")
    split: SplitMode = Field(
        "auto",
        description="how queries are divided into train, dev and test: by-component tests on answers that were not"
        " trained on, by-query on new words for known answers; auto: as the data says, else by-component",
    )

    loss: LossName = Field("auto", description="loss to train with; auto chooses by the judgements, and says why")
    matryoshka: list[Annotated[int, Field(ge=1)]] = Field(
        [], description="lengths that vectors can be cut to, e.g. [256, 128]; the loss trains each of them"
    )
    mode: Mode = Field("full", description="what learns: all weights, a query adapter, or LoRA matrices")
    query_prompt: str | None = Field(None, description="text before each query, saved with the model; none: the base's")
    document_prompt: str | None = Field(None, description="text before each document, saved with the model")
    max_length: int | None = Field(None, ge=8, description="tokens of a text that the model reads; none: the base's")

    mine: bool = Field(True, description="add mined hard negatives to the documents judged bad")
    negatives: int | None = Field(
        None,
        ge=0,
        le=32,
        description="hard negatives for each good document; none: 1, for labelled pairs and rerankers 3",
    )
    margin: float = Field(
        0.05, ge=0, lt=1, description="share by which a mined negative must score below the good document"
    )

    epochs: int | float | None = Field(
        None,
        gt=0,
        description="passes over all rows; none: 1 to 10, more for less data, and 3 at least unless all weights learn",
    )
    patience: int = Field(2, ge=1, description="training stops after this many evaluations on dev without a gain")
    batch_size: int | None = Field(None, ge=2, description="rows in a batch; none: by the number of rows")
    learning_rate: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="highest learning rate; none: 1e-4, less for a model wider than 384, with lora 2e-4, with"
        " query-adapter 1e-3, for a reranker 5e-5",
    )
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps in which the learning rate rises")
    dropout: float | None = Field(
        0.0,
        ge=0,
        lt=1,
        description="dropout during training; none: the base's own, and 0 saves a third of the time on a CPU",
    )
    precision: Precision = Field(
        "auto", description="number format of the computing; auto: bf16 where the processor has it"
    )
    lora_rank: int = Field(16, ge=1, description="rank of the LoRA matrices")

    alphas: list[Annotated[float, Field(ge=0, le=1)]] = Field(
        list(ALPHAS), min_length=1, description="shares of the tuned weights that are tried on dev; 0 is the base"
    )

    @property
    def digest(self) -> str:
        """SHA-256 in hex of all settings that this kind of model has."""
        return hashlib.sha256(self.model_dump_json(exclude=set(self._without)).encode()).hexdigest()

    def facts(self) -> dict[str, JsonValue]:
        """The settings that a manifest keeps.

        The models are named there by their ids. Their paths must not change the package's id.
        """
        return self.model_dump(mode="json", exclude={"base", "retriever", *self._without})

    @property
    def _without(self) -> frozenset[str]:
        return frozenset() if self.kind == "reranker" else _OF_RERANKERS
