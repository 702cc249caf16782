"""`make bench-rerankers`: a trained reranker beside dense, hybrid and tuned dense, on the sample corpus and on any BEIR
folder.

The reranker is the base model's encoder with a new head, trained on the judgements that the base is tuned on. Results
are written after each set, so that an interrupted benchmark goes on.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from benchmarks import base, learning_rate, machine, proof, service
from service import sample
from service.checkpoints import checkpoint
from trainer.base_model import load_reranker
from trainer.prove.metrics import NDCG
from trainer.prove.report.model import Report

RESULTS = Path(__file__).parent / "results" / "rerankers.json"
# Few candidates and short texts: a cross-encoder computes each pair of a question and a document by itself.
RERANKER = ("--kind", "reranker", "--candidates", "20", "--max-length", "128", "--batch-size", "16")
RATE = ("--learning-rate", "1e-4", "--negatives", "1")
_RECALL = "recall@10"
# The searches whose time is taken, and how many documents of each are reranked.
_SEARCHES = 60
_TOPS = (0, 10, 20, 50)
_MODEL, _RERANKER = "model", "reranker"
# The headings of the rows, and where their scores are: the report of a run, and the name in it.
_ROWS = (
    ("dense", "dense", "base"),
    ("hybrid", "dense", "hybrid"),
    ("dense, reranked", "reranker", "tuned"),
    ("hybrid, reranked", "reranker", "hybrid_reranked"),
    ("tuned dense", "dense", "tuned"),
)


def main() -> None:
    """Measure the sets that have not been measured yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beir", type=Path, action="append", default=[], help="a folder in BEIR layout")
    parser.add_argument("--epochs", type=int, default=1, help="passes over the rows of each BEIR folder")
    options = parser.parse_args()
    measured: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"sets": {}}
    measured["machine"] = machine.describe()
    sets: dict[str, Sequence[str]] = {"sample corpus": ("--data", str(sample.file()), "--format", "good-bad")}
    for folder in options.beir:
        sets[folder.name] = ("--data", str(folder), "--format", "beir", "--epochs", str(options.epochs))
    for name, data in sets.items():
        if name not in measured["sets"]:
            measured["sets"][name] = {
                "dense": measure(data),
                "reranker": measure([*data, *RERANKER, *RATE]),
            }
            RESULTS.write_text(json.dumps(measured, indent=1) + "\n")
    if "cost" not in measured:
        measured["cost"] = cost()
        RESULTS.write_text(json.dumps(measured, indent=1) + "\n")
    print(table(measured))


def cost() -> list[dict[str, float]]:
    """Milliseconds of a search of the sample corpus by one client, by the number of documents that are reranked.

    The head is of random numbers, which take as long as others.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / _MODEL).symlink_to(base.folder())
        load_reranker(checkpoint.read(base.folder(), _MODEL), "cpu").save_pretrained(str(folder / _RERANKER))
        with (
            service.running(folder / "data", folder, _MODEL) as started,
            httpx.Client(base_url=started.base_url, timeout=600) as client,
        ):
            service.write(started.base_url, [document.text for document in sample.documents()])
            job = client.post("/admin/reload", json={"reranker": _RERANKER}).raise_for_status().json()["id"]
            while (state := client.get(f"/admin/jobs/{job}").json())["ended"] is None:
                time.sleep(0.2)
            if state["state"] != "done":
                raise RuntimeError(f"the reranker did not become active: {state['reason']}")
            return [{"documents": top, "p50": _milliseconds(client, top)} for top in _TOPS]


def _milliseconds(client: httpx.Client, top: int) -> float:
    rerank = {"top": top} if top else False
    times = []
    for query in list(sample.load()["queries"].values())[:_SEARCHES]:
        began = time.perf_counter()
        client.post("/search", json={"query": query, "k": 10, "rerank": rerank}).raise_for_status()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def measure(flags: Sequence[str]) -> dict[str, Any]:
    """The report of a run with `flags`, and the seconds that the run took."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        where = ("--name", "measured", "--work", f"{folder}/run", "--out", f"{folder}/out")
        code = subprocess.call([sys.executable, "-m", "trainer", "run", *flags, *where])
        if code not in (0, 3):
            sys.exit(code)
        report = Report.model_validate_json((Path(folder) / "run" / "report.json").read_text())
        return {
            "seconds": time.monotonic() - begun,
            "decisions": proof.decisions(Path(folder) / "run"),
            "report": report.model_dump(mode="json", exclude={"queries", "examples", "recall_by_k"}),
        }


def table(measured: Mapping[str, Any]) -> str:
    """The results as Markdown tables, intervals in brackets."""
    parts = []
    for name, runs in measured["sets"].items():
        reports = {kind: run["report"] for kind, run in runs.items()}
        reranked = reports["reranker"]
        lines = [
            f"{name}: {reranked['test_queries']} test questions, {reranked['documents']} documents; the run of the"
            f" reranker took {_minutes(runs['reranker'])} minutes, that of the tuned model {_minutes(runs['dense'])};"
            f" learning rates {_rate(runs['reranker'])} and {_rate(runs['dense'])}",
            "",
            f"| ranking | {NDCG} | {_RECALL} |",
            "|---|---|---|",
        ]
        for heading, kind, row in _ROWS:
            scores = reports[kind]["scores"][row]
            lines.append(f"| {heading} | {_estimate(scores[NDCG])} | {_estimate(scores[_RECALL])} |")
        lines += [
            "",
            f"Reranking changes {NDCG} of dense by {_change(reranked['differences'][NDCG])}, of hybrid by"
            f" {_change(reranked['hybrid_reranked'])}; tuning changes that of dense by"
            f" {_change(reports['dense']['differences'][NDCG])}.",
        ]
        parts.append("\n".join(lines))
    if "cost" in measured:
        plain = measured["cost"][0]["p50"]
        rows = [f"| {row['documents']} | {row['p50']:.1f} | {row['p50'] / plain:.0f}x |" for row in measured["cost"]]
        parts.append("\n".join(["| documents that are reranked | p50 ms | |", "|---|---|---|", *rows]))
    return "\n\n".join(parts)


def _minutes(run: Mapping[str, Any]) -> int:
    seconds: float = run["seconds"]
    return round(seconds / 60)


def _rate(run: Mapping[str, Any]) -> str:
    return learning_rate.shown(run.get("decisions", {}).get("learning_rate"))


def _estimate(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def _change(difference: Mapping[str, float]) -> str:
    return f"{difference['value']:+.3f} [{difference['low']:+.3f}, {difference['high']:+.3f}]"


if __name__ == "__main__":
    main()
