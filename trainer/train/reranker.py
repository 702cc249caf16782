"""A cross-encoder as it is trained: its settings, its losses, and how it is measured on dev."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import CrossEncoder
from sentence_transformers.base.evaluation import BaseEvaluator
from sentence_transformers.cross_encoder import losses
from torch import Tensor, nn
from transformers import set_seed

from service import ranking
from trainer import base_model
from trainer.data.dataset import Dataset
from trainer.errors import BadData
from trainer.prepare import reranking
from trainer.recipe import LossName
from trainer.train import attention, plan
from trainer.train.plan import ComputedIn
from trainer.train.start import Start

# Documents of other rows that a pair is told from. Each costs as much as a hard negative.
_IN_BATCH = 2


def prepared(start: Start) -> CrossEncoder:
    """The base in memory as a cross-encoder of the recipe's length. Equal seeds give equal new heads.

    Raises BadData if the base can get no head.
    """
    recipe = start.recipe
    set_seed(recipe.seed)
    model = base_model.load_reranker(start.base)
    if recipe.max_length is not None:
        model.max_seq_length = recipe.max_length
    return model


def build(name: LossName, model: CrossEncoder, *, weighted: bool = False) -> nn.Module:
    """Build the loss of that name. With `weighted`, the rows have weights, which binary-cross-entropy alone takes."""
    match name:
        case "binary-cross-entropy":
            return _Weighted(model) if weighted else losses.BinaryCrossEntropyLoss(model)
        case "multiple-negatives":
            return losses.MultipleNegativesRankingLoss(model, num_negatives=_IN_BATCH)
        case "lambda":
            return _OfColumns(losses.LambdaLoss(model))
        case _:
            raise BadData("the loss has to be chosen before it is built: use losses.choose()")


class RerankingEvaluator(BaseEvaluator):
    """nDCG@10 of queries whose candidates the model puts in order.

    `good` maps each query to its good documents, `retrieved` to its candidates, best first. A good document that is no
    candidate counts as not found.
    """

    metric = "ndcg@10"

    def __init__(
        self,
        dataset: Dataset,
        good: Mapping[str, set[str]],
        retrieved: Mapping[str, Sequence[str]],
        precision: ComputedIn,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.texts = sum(map(len, retrieved.values()))
        self._dataset = dataset
        self._good = good
        self._retrieved = retrieved
        self._precision = precision

    def __call__(self, model: Any, *_: Any, **__: Any) -> dict[str, float]:
        with plan.computing(model.device.type, self._precision), attention.reading():
            scores = reranking.score(model, self._dataset, self._retrieved, quiet=True)
        values = [
            ranking.ndcg(reranking.order(self._retrieved[query], scores[query], len(self._retrieved[query])), good)
            for query, good in sorted(self._good.items())
        ]
        return {self.metric: float(np.mean(values))}

    def ndcg(self, model: CrossEncoder) -> float:
        """nDCG@10 of the model, in [0, 1]."""
        return self(model)[self.metric]


class _OfColumns(nn.Module):
    """A loss on lists of documents that reads tuples: the query, its good document, and others, a column each."""

    def __init__(self, loss: losses.LambdaLoss) -> None:
        super().__init__()
        self.model = loss.model
        self._loss = loss

    def forward(self, columns: Sequence[Sequence[str]], _: Tensor | None, **named: Any) -> Tensor:
        """The mean loss of a batch. `columns` are the texts of each column."""
        queries, *documents = columns
        lists = [list(texts) for texts in zip(*documents, strict=True)]
        labels = [torch.tensor([1.0] + [0.0] * (len(texts) - 1)) for texts in lists]
        loss: Tensor = self._loss([list(queries), lists], labels, **named)
        return loss


class _Weighted(losses.BinaryCrossEntropyLoss):
    """BinaryCrossEntropyLoss with labels (n) whose size is the weight, above 0 for good rows and below for bad ones."""

    def forward(
        self, inputs: list[list[str]], labels: Tensor, prompt: str | None = None, task: str | None = None
    ) -> Tensor:
        """The mean loss of a batch. `inputs` are the queries and the documents."""
        self.bce_with_logits_loss.weight = labels.abs().float().view(-1).to(self.model.device)
        loss: Tensor = super().forward(inputs, (labels > 0).float(), prompt, task)
        return loss
