"""`make bench-sample`: how hard the sample corpus, or any BEIR folder, is for the base model."""

import argparse
import csv
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

from service import ranking, sample
from service.checkpoints.bundled import base_folder

RESULTS = Path(__file__).parent / "results" / "sample.json"


@dataclass(frozen=True)
class Judged:
    """Texts by id, good documents by query, and the bad document of a query, if there is one."""

    queries: dict[str, str]
    corpus: dict[str, str]
    good: dict[str, set[str]]
    bad: dict[str, str]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beir", type=Path, help="a folder with corpus.jsonl, queries.jsonl and qrels/test.tsv")
    options = parser.parse_args()
    judged = load_beir(options.beir) if options.beir else load_sample()
    results = measure(judged)
    print(table(results))
    if not options.beir:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def measure(judged: Judged) -> dict[str, Any]:
    """The figures of the base model."""
    rankings = rank(judged)
    pairs = [(ranked, judged.good[query]) for query, ranked in rankings.items()]
    figures: dict[str, Any] = {
        "documents": len(judged.corpus),
        "queries": len(judged.good),
        "nDCG@10": float(np.mean([ranking.ndcg(ranked, good) for ranked, good in pairs])),
        "recall@1": float(np.mean([ranking.recall(ranked, good, 1) for ranked, good in pairs])),
        "recall@10": float(np.mean([ranking.recall(ranked, good, 10) for ranked, good in pairs])),
        "MRR@10": float(np.mean([ranking.reciprocal_rank(ranked, good) for ranked, good in pairs])),
    }
    if judged.bad:
        above = [
            rankings[query].index(bad) < min(map(rankings[query].index, judged.good[query]))
            for query, bad in judged.bad.items()
        ]
        figures["bad above good"] = float(np.mean(above))
    return figures


def table(results: dict[str, Any]) -> str:
    """The results as a Markdown table."""
    cells = [f"{value:,}" if isinstance(value, int) else f"{value:.3f}" for value in results.values()]
    return "\n".join(["| " + " | ".join(results) + " |", "|---" * len(results) + "|", "| " + " | ".join(cells) + " |"])


def rank(judged: Judged) -> dict[str, list[str]]:
    """The ids of all documents by query, best first."""
    model = SentenceTransformer(str(base_folder()), device="cpu")
    documents = model.encode_document(list(judged.corpus.values()), normalize_embeddings=True)
    queries = model.encode_query([judged.queries[query] for query in judged.good], normalize_embeddings=True)
    ids = list(judged.corpus)
    order = np.argsort(-(queries @ documents.T), axis=1, kind="stable")
    return {query: [ids[column] for column in row] for query, row in zip(judged.good, order, strict=True)}


def load_sample() -> Judged:
    """The sample corpus of the service."""
    content = sample.load()
    good = {query: {pair[0]} for query, pair in content["relevant_docs"].items()}
    bad = {query: pair[1] for query, pair in content["relevant_docs"].items()}
    return Judged(content["queries"], content["corpus"], good, bad)


def load_beir(folder: Path, split: str = "test") -> Judged:
    """A split of a folder in BEIR's layout."""

    def texts(name: str) -> dict[str, str]:
        rows = map(json.loads, (folder / name).read_text(encoding="utf-8").splitlines())
        return {row["_id"]: f"{row.get('title', '')} {row['text']}".strip() for row in rows}

    corpus = texts("corpus.jsonl")
    good = defaultdict[str, set[str]](set)
    with (folder / "qrels" / f"{split}.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if float(row["score"]) > 0 and row["corpus-id"] in corpus:
                good[row["query-id"]].add(row["corpus-id"])
    return Judged(texts("queries.jsonl"), corpus, dict(good), {})


if __name__ == "__main__":
    main()
