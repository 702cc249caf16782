"""Mines hard negatives: documents that nobody judged and that the base model takes for answers."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from datasets.arrow_dataset import Dataset as Table
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import mine_hard_negatives

from trainer.data.dataset import Dataset

# Candidates for each query, before those too close to the good document are left out.
_CANDIDATES = 50
# Documents that are mined beyond those needed, because some of them were judged.
_SPARE = 4


Mined = Mapping[tuple[str, str], Sequence[str]]


def mine(model: SentenceTransformer, dataset: Dataset, *, per_row: int, margin: float) -> Mined:
    """Up to `per_row` documents for each pair of a training query and a good document, all by id, hardest first.

    A document must score below the good one by the share `margin` of its score (NV-Retriever, de Souza P. Moreira et
    al. 2024): a closer one is too often an answer that nobody has marked. No document has the text of a judged one.
    """
    good, bad = dataset.good("train"), dataset.bad("train")
    identity = {document.passage: key for key, document in sorted(dataset.corpus.items(), reverse=True)}
    pairs = [(query, document) for query in sorted(good) for document in sorted(good[query])]
    candidates = min(_CANDIDATES, len(identity) - 1)
    if not pairs or candidates < 1 or per_row == 0:
        return {}
    table = Table.from_dict(
        {
            "anchor": [dataset.queries[query] for query, _ in pairs],
            "positive": dataset.passages([document for _, document in pairs]),
        }
    )
    triplets = mine_hard_negatives(
        table,
        model,
        anchor_column_name="anchor",
        positive_column_name="positive",
        corpus=list(identity),
        range_max=candidates,
        relative_margin=margin,
        num_negatives=min(per_row + _SPARE, candidates),
        sampling_strategy="top",
        output_format="triplet",
        # A cache would be keyed without the model.
        cache_folder=None,
        verbose=False,
    )
    near = defaultdict[tuple[str, str], list[str]](list)
    for row in triplets:
        near[row["anchor"], row["positive"]].append(row["negative"])
    judged = {query: set(dataset.passages(good[query] | bad.get(query, set()))) for query in good}
    return {
        (query, document): [
            identity[text]
            for text in near[dataset.queries[query], dataset.corpus[document].passage]
            if text not in judged[query]
        ][:per_row]
        for query, document in pairs
    }


def write(mined: Mined, dataset: Dataset, path: Path) -> None:
    """Write JSON lines in FlagEmbedding's format: `query`, `pos` and `neg` hold the texts of a pair and negatives."""
    with path.open("w", encoding="utf-8") as file:
        for (query, document), negatives in mined.items():
            row = {
                "query": dataset.queries[query],
                "pos": dataset.passages([document]),
                "neg": dataset.passages(negatives),
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
