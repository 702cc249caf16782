"""`make bench-modes`: how well search by vector, by keyword and by both ranks, and how long it takes.

The judged queries are those of the sample corpus, and with `--beir FOLDER` those of other data (the test split). The
times are of one client, by the number of documents, with a static model that encodes a query in no time.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any, get_args

import httpx
import numpy as np

from benchmarks import base, machine, service, texts
from benchmarks.growth import make_static
from benchmarks.sample import Judged, load_beir, load_sample
from service import ranking
from service.search.retrieval import Mode

RESULTS = Path(__file__).parent / "results" / "modes.json"
MODES: tuple[Mode, ...] = get_args(Mode)
_MODEL = "model"
_WORDS = 40
_SEARCHES = 300
_TOGETHER = 100


def main() -> None:
    """Measure, print the tables and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beir", type=Path, nargs="*", default=[], help="folders with corpus, queries and qrels")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    options = parser.parse_args()
    sets = {"sample corpus": load_sample(), **{folder.name: load_beir(folder) for folder in options.beir}}
    results = {
        "machine": machine.describe(),
        "quality": [{"data": name, **quality(judged)} for name, judged in sets.items()],
        "sizes": [cost(size) for size in options.sizes],
    }
    print(table(results))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def table(results: dict[str, Any]) -> str:
    """The results as Markdown tables."""
    lines = [f"| nDCG@10 | queries | {' | '.join(MODES)} | to the better part |", f"|{'---|' * (len(MODES) + 3)}"]
    for row in results["quality"]:
        better = max(row["dense"], row["keyword"])
        shown = " | ".join(f"{row[mode]:.3f}" for mode in MODES)
        lines.append(f"| {row['data']} | {row['queries']:,} | {shown} | {row['hybrid'] - better:+.3f} |")
    heads = [f"{mode} {figure} ms" for mode in MODES for figure in ("p50", "p99")]
    lines += ["", f"| documents | {' | '.join(heads)} |", f"|{'---|' * (len(heads) + 1)}"]
    for row in results["sizes"]:
        shown = " | ".join(f"{row[mode][figure]:.1f}" for mode in MODES for figure in ("p50", "p99"))
        lines.append(f"| {row['documents']:,} | {shown} |")
    return "\n".join(lines)


def quality(judged: Judged) -> dict[str, Any]:
    """Measure nDCG@10 by mode."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / _MODEL).symlink_to(base.folder())
        with (
            service.running(folder / "data", folder, _MODEL) as started,
            httpx.Client(base_url=started.base_url, timeout=600) as client,
        ):
            documents = [{"id": identity, "text": text} for identity, text in judged.corpus.items()]
            for start in range(0, len(documents), _TOGETHER):
                body = {"documents": documents[start : start + _TOGETHER]}
                client.post("/documents", json=body).raise_for_status()
            return {"queries": len(judged.good), **{mode: _ndcg(client, judged, mode) for mode in MODES}}


def _ndcg(client: httpx.Client, judged: Judged, mode: Mode) -> float:
    gains: list[float] = []
    queries = list(judged.good.items())
    for start in range(0, len(queries), _TOGETHER):
        part = queries[start : start + _TOGETHER]
        body = {"query": [judged.queries[query] for query, _ in part], "mode": mode}
        answers = client.post("/search", json=body).raise_for_status().json()["results"]
        gains += [
            ranking.ndcg([hit["id"] for hit in hits], good) for hits, (_, good) in zip(answers, part, strict=True)
        ]
    return float(np.mean(gains))


def cost(size: int) -> dict[str, Any]:
    """Measure the milliseconds of a search by mode, on `size` documents."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_static(folder / _MODEL, 0)
        with service.running(folder / "data", folder, _MODEL) as started:
            service.write(started.base_url, texts.passages(size, words=_WORDS))
            service.settled(started)
            costs: dict[str, Any] = {"documents": size}
            for mode in MODES:
                times = _times(started.base_url, mode)
                costs[mode] = {"p50": float(np.percentile(times, 50)), "p99": float(np.percentile(times, 99))}
            return costs


def _times(base_url: str, mode: Mode) -> list[float]:
    questions = texts.questions()
    times: list[float] = []
    with httpx.Client(base_url=base_url, timeout=60) as client:
        for number in range(_SEARCHES):
            began = time.perf_counter()
            body = {"query": questions[number % len(questions)], "mode": mode}
            client.post("/search", json=body).raise_for_status()
            times.append((time.perf_counter() - began) * 1000)
    return times


if __name__ == "__main__":
    main()
