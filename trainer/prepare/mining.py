"""Hard negatives that nobody judged: documents that the base model takes for answers."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from datasets.arrow_dataset import Dataset as Table
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import mine_hard_negatives

from service.checkpoints.fingerprint import document_prompt
from trainer.data.dataset import Dataset

# Candidates for each query; those too close to the good document fall out.
_CANDIDATES = 50
# Documents mined beyond the needed ones, because some were judged.
_SPARE = 4


Mined = Mapping[tuple[str, str], Sequence[str]]


def mine(model: SentenceTransformer, dataset: Dataset, *, per_row: int, margin: float) -> Mined:
    """Up to `per_row` documents for each training query and good document, all by id, hardest first.

    A document counts only if it scores below the good one by `margin` of its score (NV-Retriever, de Souza P. Moreira
    et al. 2024): a closer one is too often an answer that nobody has marked. None has the text of a judged document.
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
        query_prompt=model.prompts.get("query") or None,
        corpus_prompt=document_prompt(model.prompts) or None,
        range_max=candidates,
        relative_margin=margin,
        num_negatives=min(per_row + _SPARE, candidates),
        sampling_strategy="top",
        output_format="triplet",
        # The key of a cache would not name the model.
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
    """Write JSON lines as FlagEmbedding has them: `query`, `pos` and `neg`, the texts of a pair and its negatives."""
    with path.open("w", encoding="utf-8") as file:
        for (query, document), negatives in mined.items():
            row = {
                "query": dataset.queries[query],
                "pos": dataset.passages([document]),
                "neg": dataset.passages(negatives),
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
