"""`make bench-long`: how well documents are found that are longer than the model reads.

The documents of other data (`--beir FOLDER`) are joined to about as many tokens as DocsGPT's chunks have, in the order
of the file; a joined document is good if one of its parts is. A service that truncates answers the test queries, and so
does one that cuts windows, by vector, by keyword and by both. Late chunking (Günther et al. 2024) is measured beside
them with torch: each window's vector is the mean of its tokens, computed with as much text around them as the model
has positions for.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from benchmarks import base, machine, service
from benchmarks.sample import Judged, load_beir
from service import ranking, significance
from service.machine.arrays import Vectors
from service.models.windowing import Splitter, Windowing
from service.search.retrieval import Mode

RESULTS = Path(__file__).parent / "results" / "long.json"
BASELINE = "truncation"
_TOKENS = 1250
_MODEL = "model"
_TOGETHER = 100
_SEED = 0
# Positions of the base model, and the tokens that it reads as it is published.
_POSITIONS, _READ = 512, 256
_WINDOWING = Windowing(overlap=32, most=64)
_METRICS: dict[str, Callable[[list[str], set[str]], float]] = {
    "recall@10": partial(ranking.recall, k=10),
    "nDCG@10": ranking.ndcg,
}
_NAMES: dict[Mode, str] = {"dense": "windows", "keyword": "keyword", "hybrid": "hybrid (windows)"}


@dataclass(frozen=True)
class _Served:
    """The rankings of all queries by the name of the way, and what the service took for them."""

    rankings: dict[str, list[list[str]]]
    cost: dict[str, float]


def main() -> None:
    """Measure, print the tables and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beir", type=Path, nargs="+", required=True, help="folders with corpus, queries and qrels")
    parser.add_argument("--tokens", type=int, default=_TOKENS, help="tokens of a joined document, at most")
    options = parser.parse_args()
    results = {
        "machine": machine.describe(),
        "tokens": options.tokens,
        "data": [measure(folder.name, load_beir(folder), options.tokens) for folder in options.beir],
    }
    print(table(results))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def table(results: dict[str, Any]) -> str:
    """The results as Markdown tables."""
    lines = ["| data | | recall@10 | to truncation | nDCG@10 | to truncation |", "|---|---|---|---|---|---|"]
    for data in results["data"]:
        for way, row in data["ways"].items():
            cells = [cell for metric in _METRICS for cell in (f"{row[metric]:.3f}", _difference(row, metric))]
            lines.append(f"| {data['data']} | {way} | {' | '.join(cells)} |")
    lines += [
        "",
        "| data | documents | tokens | queries | | windows | documents in a processor's second | vectors in memory "
        "| on disk |",
        f"|{'---|' * 9}",
    ]
    for data in results["data"]:
        for way, cost in data["costs"].items():
            lines.append(
                f"| {data['data']} | {data['documents']:,} | {data['tokens']:,.0f} | {data['queries']:,} | {way} "
                f"| {cost['windows']:,} | {cost['rate']:.1f} | {cost['memory'] / 1024:,.0f} KiB "
                f"| {cost['disk'] / 1024:,.0f} KiB |"
            )
    return "\n".join(lines)


def _difference(row: dict[str, Any], metric: str) -> str:
    if metric not in row["differences"]:
        return ""
    difference = row["differences"][metric]
    return f"{difference['value']:+.3f} ({difference['low']:+.3f} to {difference['high']:+.3f})"


def measure(name: str, parts: Judged, tokens: int) -> dict[str, Any]:
    """The figures of one set of data, with its documents joined."""
    tokenizer = Tokenizer.from_file(str(base.folder() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    judged = join(parts, tokens, tokenizer)
    truncated, windowed = _serve(judged, "truncate", ["dense"]), _serve(judged, "windows", list(_NAMES))
    rankings = {BASELINE: truncated.rankings["dense"]}
    rankings |= {_NAMES[mode]: windowed.rankings[mode] for mode in _NAMES}
    rankings["late chunking"] = late_chunking(judged, tokenizer)
    return {
        "data": name,
        "documents": len(judged.corpus),
        "tokens": float(np.mean([len(tokenizer.encode(text)) for text in judged.corpus.values()])),
        "queries": len(judged.good),
        "ways": _compared(rankings, list(judged.good.values()), [parts.good[query] for query in judged.good]),
        "costs": {BASELINE: truncated.cost, "windows": windowed.cost},
    }


def join(judged: Judged, tokens: int, tokenizer: Tokenizer) -> Judged:
    """Join documents that follow each other, up to so many tokens; a longer one stays alone."""
    joined: list[list[str]] = []
    room = 0
    for identity, text in judged.corpus.items():
        length = len(tokenizer.encode(text, add_special_tokens=False))
        if not joined or length > room:
            joined.append([])
            room = tokens
        joined[-1].append(identity)
        room -= length
    home = {part: str(number) for number, identities in enumerate(joined) for part in identities}
    corpus = {
        str(number): "\n\n".join(judged.corpus[identity] for identity in identities)
        for number, identities in enumerate(joined)
    }
    good = {query: {home[part] for part in parts} for query, parts in judged.good.items()}
    return Judged(judged.queries, corpus, good, {})


def _serve(judged: Judged, long: str, modes: Sequence[Mode]) -> _Served:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / _MODEL).symlink_to(base.folder())
        os.environ["INSTAR_LONG"] = long
        try:
            with (
                service.running(folder / "data", folder, _MODEL) as started,
                httpx.Client(base_url=started.base_url, timeout=600) as client,
            ):
                rate = _write(client, started, judged)
                info = client.get("/info").raise_for_status().json()
                rankings = {mode: _rankings(client, judged, mode) for mode in modes}
        finally:
            del os.environ["INSTAR_LONG"]
        cost = {
            "rate": rate,
            "windows": info["windows"],
            "memory": info["windows"] * info["dimensions"] * np.dtype(np.float32).itemsize,
            "disk": sum(path.stat().st_size for path in (folder / "data" / "vectors").iterdir()),
        }
        return _Served({str(mode): ranked for mode, ranked in rankings.items()}, cost)


def _write(client: httpx.Client, started: service.Service, judged: Judged) -> float:
    """Write all documents; returns how many the service wrote in a second of its processors' time."""
    documents = [{"id": identity, "text": text} for identity, text in judged.corpus.items()]
    # The first batch warms up whatever is made on first use.
    client.post("/documents", json={"documents": documents[:1], "collection": "warm"}).raise_for_status()
    client.delete("/collections/warm")
    before = started.process.cpu_times()
    for start in range(0, len(documents), _TOGETHER):
        client.post("/documents", json={"documents": documents[start : start + _TOGETHER]}).raise_for_status()
    time.sleep(1)
    after = started.process.cpu_times()
    return len(documents) / (after.user + after.system - before.user - before.system)


def _rankings(client: httpx.Client, judged: Judged, mode: Mode) -> list[list[str]]:
    rankings: list[list[str]] = []
    queries = [judged.queries[query] for query in judged.good]
    for start in range(0, len(queries), _TOGETHER):
        body = {"query": queries[start : start + _TOGETHER], "mode": mode}
        answers = client.post("/search", json=body).raise_for_status().json()["results"]
        rankings += [[hit["id"] for hit in hits] for hits in answers]
    return rankings


def late_chunking(judged: Judged, tokenizer: Tokenizer) -> list[list[str]]:
    """The ten nearest documents of each query by their best window, each computed with the text around it."""
    model = SentenceTransformer(str(base.folder()), device="cpu")
    model.max_seq_length = _POSITIONS
    splitter = Splitter(tokenizer, tokenizer, _READ, "")
    contexts: list[str] = []
    within: list[tuple[int, int]] = []
    owners: list[int] = []
    for number, text in enumerate(judged.corpus.values()):
        offsets = tokenizer.encode(text, add_special_tokens=False).offsets
        spans = splitter.spans(text, _WINDOWING)
        for start, end in spans.tolist() if spans.any() else [(0, len(text))]:
            left, right = _around(offsets, start, end)
            contexts.append(text[left:right])
            within.append((start - left, end - left))
            owners.append(number)
    vectors = _pooled(model, contexts, within, tokenizer)
    queries = model.encode_query([judged.queries[query] for query in judged.good], normalize_embeddings=True)
    ids = list(judged.corpus)
    best = np.full((len(queries), len(ids)), -np.inf, np.float32)
    np.maximum.at(best.T, np.array(owners), vectors @ queries.T)
    return [[ids[column] for column in row[:10]] for row in np.argsort(-best, axis=1, kind="stable")]


def _around(offsets: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
    """The part of the text around a window that the model has positions for, as much before it as after it."""
    inside = [number for number, (first, last) in enumerate(offsets) if first >= start and last <= end]
    spare = max(_POSITIONS - 4 - len(inside), 0)
    before = min(inside[0], max(spare // 2, spare - (len(offsets) - 1 - inside[-1])))
    after = min(inside[-1] + spare - before, len(offsets) - 1)
    return offsets[inside[0] - before][0], offsets[after][1]


def _pooled(
    model: SentenceTransformer, contexts: Sequence[str], within: Sequence[tuple[int, int]], tokenizer: Tokenizer
) -> Vectors:
    """The mean of the vectors of the tokens within [start, end) of each context, scaled to unit length."""
    vectors: list[Vectors] = []
    embedded: Any = model.encode(list(contexts), output_value="token_embeddings", batch_size=8)
    for context, (start, end), tokens in zip(contexts, within, embedded, strict=True):
        offsets = tokenizer.encode(context).offsets[: len(tokens)]
        inside = torch.tensor([first >= start and start < last <= end for first, last in offsets])
        vector = tokens[: len(offsets)][inside].mean(dim=0).float().cpu().numpy()
        vectors.append(vector / np.linalg.norm(vector))
    return np.stack(vectors)


def _compared(
    rankings: dict[str, list[list[str]]], good: Sequence[set[str]], parts: Sequence[set[str]]
) -> dict[str, Any]:
    """Each way's means, and their differences to truncation with 95% intervals.

    Queries with the same good parts are resampled together, because they succeed and fail together.
    """
    numbers = {answer: number for number, answer in enumerate(dict.fromkeys(map(frozenset, parts)))}
    clusters = np.array([numbers[frozenset(answer)] for answer in parts])
    values = {
        way: {
            metric: np.array([measured(ranked, answer) for ranked, answer in zip(ranked_lists, good, strict=True)])
            for metric, measured in _METRICS.items()
        }
        for way, ranked_lists in rankings.items()
    }
    compared: dict[str, Any] = {}
    for way, by_metric in values.items():
        compared[way] = {metric: float(of_query.mean()) for metric, of_query in by_metric.items()}
        compared[way]["differences"] = {}
        for metric, of_query in by_metric.items() if way != BASELINE else ():
            differences = of_query - values[BASELINE][metric]
            low, high = significance.interval(differences, clusters, _SEED)
            compared[way]["differences"][metric] = {"value": float(differences.mean()), "low": low, "high": high}
    return compared


if __name__ == "__main__":
    main()
