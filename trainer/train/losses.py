"""The losses by name: which rows a loss reads, how it is built, and which one suits the data.

All but one come from sentence-transformers, with settings that suit vectors of unit length.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.losses.contrastive import SiameseDistanceMetric
from sentence_transformers.sentence_transformer.losses.triplet import TripletDistanceMetric
from torch import Tensor, nn

from service.checkpoints.model_kind import Kind
from trainer.data.dataset import Dataset
from trainer.errors import BadData
from trainer.recipe import LossName

RowKind = Literal["tuples", "triplets", "pairs"]

_ROWS: Mapping[LossName, RowKind] = {
    "multiple-negatives": "tuples",
    "cached-multiple-negatives": "tuples",
    # The guide judges one negative of each row.
    "gist": "triplets",
    "triplet": "triplets",
    "online-contrastive": "pairs",
    "contrastive": "pairs",
    "cosine": "pairs",
    "binary-cross-entropy": "pairs",
    "lambda": "tuples",
}
OF_RERANKERS: tuple[LossName, ...] = ("binary-cross-entropy", "multiple-negatives", "lambda")
# The losses that count each row by the weight of its judgement; by kind of model, because names stand for two losses.
_WEIGHTED: Mapping[Kind, frozenset[LossName]] = {
    "dense": frozenset({"multiple-negatives", "cosine"}),
    "reranker": frozenset({"binary-cross-entropy"}),
}
OF_RERANKERS_ALONE: frozenset[LossName] = frozenset({"binary-cross-entropy", "lambda"})

# Cosine distances lie in [0, 2], so TripletLoss's default margin of 5 is out of reach.
_TRIPLET_MARGIN = 0.2
_CONTRASTIVE_MARGIN = 0.5
# Rows that a cached loss has in memory at a time.
_CACHED_ROWS = 16


def choose(name: LossName, dataset: Dataset, kind: Kind = "dense") -> tuple[LossName, str]:
    """The loss to train a model of that kind with, and the reason in a sentence.

    Raises BadData if nothing can be learnt, or if the kind has no such loss.

    The reason is in the manifest, so another wording changes every checkpoint id.
    """
    good, bad = dataset.good("train"), dataset.bad("train")
    if not good:
        raise BadData(
            "no training query has a good document, and bad ones alone teach nothing: judge some documents good"
        )
    if kind == "reranker":
        return _choose_for_reranker(name)
    if name in OF_RERANKERS_ALONE:
        raise BadData(f"--loss {name} is for rerankers: leave it out, or train one with --kind reranker")
    if name != "auto":
        return name, "it was asked for"
    both = len(good.keys() & bad.keys())
    with_bad = f"{both} of {len(good)} training queries have documents judged bad" if both else "only good documents"
    return "multiple-negatives", (
        f"{with_bad}: every query's good document is told from its hard negatives and from the good ones of the"
        " other queries in the batch, which by most reports beats losses on single pairs"
    )


def _choose_for_reranker(name: LossName) -> tuple[LossName, str]:
    if name == "auto":
        return "binary-cross-entropy", "each judged pair and each mined negative says good or bad by itself"
    if name not in OF_RERANKERS:
        raise BadData(f"--loss {name} compares vectors, which a reranker has not: use {', '.join(OF_RERANKERS)}")
    return name, "it was asked for"


def rows_of(name: LossName) -> RowKind:
    """The kind of rows that the loss reads."""
    return _ROWS[name]


def uses_weights(name: LossName, kind: Kind) -> bool:
    """Whether the loss counts a row by its weight. Others count all rows alike."""
    return name in _WEIGHTED[kind]


def build(
    name: LossName,
    model: SentenceTransformer,
    guide: SentenceTransformer | None,
    matryoshka: Sequence[int],
    *,
    weighted: bool = False,
) -> nn.Module:
    """Build the loss of that name. `guide` is the base model, which `gist` alone needs.

    With `weighted`, the rows have weights, which `uses_weights` must say that the loss can take.

    Raises BadData if a Matryoshka dimension is larger than the model's.
    """
    loss = _weighted(name, model) if weighted else _build(name, model, guide)
    if not matryoshka:
        return loss
    native = model.get_embedding_dimension() or 0
    if max(matryoshka) > native:
        raise BadData(f"--matryoshka {max(matryoshka)} is more than the model's {native} dimensions: give smaller ones")
    return losses.MatryoshkaLoss(model, loss, sorted({native, *matryoshka}, reverse=True))


def _build(name: LossName, model: SentenceTransformer, guide: SentenceTransformer | None) -> nn.Module:
    loss: nn.Module
    match name:
        case "multiple-negatives":
            loss = losses.MultipleNegativesRankingLoss(model, similarity_fct=cosine)
        case "cached-multiple-negatives":
            loss = losses.CachedMultipleNegativesRankingLoss(model, similarity_fct=cosine, mini_batch_size=_CACHED_ROWS)
        case "gist":
            if guide is None:
                raise BadData("--loss gist needs the base model as its guide: use the commands run or train")
            loss = losses.GISTEmbedLoss(model, guide=guide)
        case "triplet":
            loss = losses.TripletLoss(model, TripletDistanceMetric.COSINE, triplet_margin=_TRIPLET_MARGIN)
        case "online-contrastive":
            loss = OnlineContrastive(model)
        case "contrastive":
            loss = losses.ContrastiveLoss(model, margin=_CONTRASTIVE_MARGIN)
        case "cosine":
            loss = losses.CosineSimilarityLoss(model)
        case "auto" | "binary-cross-entropy" | "lambda":
            raise BadData("the loss has to be chosen before it is built: use choose()")
    return loss


def _weighted(name: LossName, model: SentenceTransformer) -> nn.Module:
    if name == "multiple-negatives":
        return _WeightedMultipleNegatives(model, similarity_fct=cosine)
    return _WeightedCosine(model)


def cosine(left: Tensor, right: Tensor) -> Tensor:
    """Cosines (n, m) of the rows of two matrices, in fp32: bf16 has 8 bits, and the loss multiplies by 20."""
    with torch.autocast(left.device.type, enabled=False):
        unit = [nn.functional.normalize(vectors.float(), dim=-1) for vectors in (left, right)]
        return unit[0] @ unit[1].T


class OnlineContrastive(losses.OnlineContrastiveLoss):
    """OnlineContrastiveLoss as a mean over the batch, and ContrastiveLoss for batches without a hard pair.

    The original is a sum, so that a batch eight times as large gives a loss eight times as large. It is also 0 as soon
    as the pairs of a batch are separated at all, even if they are far inside the margin.
    """

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__(model, distance_metric=SiameseDistanceMetric.COSINE_DISTANCE, margin=_CONTRASTIVE_MARGIN)
        self._every_pair = losses.ContrastiveLoss(model, margin=_CONTRASTIVE_MARGIN)

    def compute_loss_from_embeddings(self, embeddings: list[Tensor], labels: Tensor) -> Tensor:
        """The mean loss of a batch. `embeddings` are two matrices (n, dimensions), `labels` (n) are 0 or 1."""
        hard: Tensor = super().compute_loss_from_embeddings(embeddings, labels)
        if hard > 0:
            return hard / len(labels)
        every: Tensor = self._every_pair.compute_loss_from_embeddings(embeddings, labels)
        return every


class _WeightedMultipleNegatives(losses.MultipleNegativesRankingLoss):
    """MultipleNegativesRankingLoss with labels (n) that are the weights of the rows."""

    def compute_loss_from_embeddings(self, embeddings: list[Tensor], labels: Tensor) -> Tensor:
        """The mean loss of a batch. `embeddings` are matrices (n, dimensions): queries, good documents, others."""
        queries, *documents = embeddings
        scores = self.scale * self.similarity_fct(queries, torch.cat(documents))
        targets = torch.arange(len(queries), device=scores.device)
        of_rows = nn.functional.cross_entropy(scores, targets, reduction="none")
        return (labels.view(-1) * of_rows).mean()


class _WeightedCosine(losses.CosineSimilarityLoss):
    """CosineSimilarityLoss with labels (n) whose size is the weight, above 0 for good rows and below for bad ones."""

    def compute_loss_from_embeddings(self, embeddings: list[Tensor], labels: Tensor) -> Tensor:
        """The mean loss of a batch. `embeddings` are two matrices (n, dimensions)."""
        signed = labels.view(-1)
        cosines = torch.cosine_similarity(embeddings[0], embeddings[1])
        return (signed.abs() * (cosines - (signed > 0).float()) ** 2).mean()
