"""Measures how well a model in memory ranks, to choose among the weights of a training and among mixes of them."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

from trainer import reading
from trainer.data.dataset import Dataset
from trainer.train import attention, plan
from trainer.train.plan import ComputedIn


class Evaluator(Protocol):
    """Measures a model for the choice among weights. `metric` is the name of nDCG@10 in what a call returns.

    A measurement reads so many `texts` beside the queries, or pairs of them.
    """

    metric: str
    texts: int

    def __call__(self, model: Any, *arguments: Any, **named: Any) -> dict[str, float]: ...

    def ndcg(self, model: Any) -> float:
        """nDCG@10 of the model, in [0, 1]."""
        ...


class RankingEvaluator(InformationRetrievalEvaluator):
    """nDCG@10 of queries over the whole corpus. Over a part of the corpus every model looks good.

    `good` maps each query to its good documents. For choosing, the precision of the training will do. A figure that is
    compared with a threshold needs fp32. With `keep_documents` all models that are measured give documents the same
    vectors, as those with query adapters do, and these are computed once.
    """

    metric = "cosine_ndcg@10"

    def __init__(
        self, dataset: Dataset, good: Mapping[str, set[str]], precision: ComputedIn, *, keep_documents: bool = False
    ) -> None:
        super().__init__(
            queries={query: dataset.queries[query] for query in good},
            corpus={key: document.passage for key, document in dataset.corpus.items()},
            relevant_docs=dict(good),
            mrr_at_k=[10],
            ndcg_at_k=[10],
            accuracy_at_k=[1],
            precision_recall_at_k=[10],
            map_at_k=[10],
            write_csv=False,
        )
        self.texts = 0 if keep_documents else len(dataset.corpus)
        self._precision = precision
        self._keep_documents = keep_documents
        # The vectors of each part of the corpus, by its texts.
        self._documents: dict[tuple[str, ...], torch.Tensor] = {}

    def __call__(self, model: Any, *arguments: Any, **named: Any) -> dict[str, float]:
        with plan.computing(model.device.type, self._precision), attention.reading():
            return dict(super().__call__(model, *arguments, **named))

    def embed_inputs(self, model: SentenceTransformer, sentences: Any, *arguments: Any, **named: Any) -> Any:
        keeps = self._keep_documents and named.get("encode_fn_name") == "document"
        part = tuple(sentences) if keeps else ()
        if part in self._documents:
            return self._documents[part]
        self.batch_size = reading.batch_size(model, sentences)
        embedded: Any = super().embed_inputs(model, sentences, *arguments, **named)
        vectors = embedded.float()
        if keeps:
            self._documents[part] = vectors
        return vectors

    def store_metrics_in_model_card_data(self, *_: Any, **__: Any) -> None:
        """Store nothing: a model that is measured again and again would keep all that has measured it."""

    def ndcg(self, model: SentenceTransformer) -> float:
        """nDCG@10 of the model, in [0, 1]."""
        return float(self(model)[self.metric])
