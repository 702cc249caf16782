"""`make bench-hero`: the picture of the README: one question before and after, the verdict, and searches in a swap.

The model is tuned as `make tune` does it, or is that of a finished run (`ARGS="--run FOLDER"`). The service answers by
vector, as the trainer's test does. All test questions are asked before and after the reload, and clients ask them
during it. None of them was trained on.

The picture shows the question with the largest gain in nDCG@10 whose texts have room in it. Among equal ones it is the
one with the fewest characters. Its good passage is among the first three after the reload only. The picture has one
sentence of each passage: the one that is nearest to the question, by the model that ranks it.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks import hero_picture, machine, service, tune
from benchmarks.clients import Clients, Search
from service import ranking
from service.checkpoints.bundled import BASE
from trainer.data.dataset import Dataset
from trainer.prove.gate import Verdict
from trainer.prove.report.model import Report

RESULTS = Path(__file__).parent / "results" / "hero.json"
_TUNED = "tuned"
_SHOWN = 3
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+")
# The picture has so many bars of equal time.
_BARS = 40


@dataclass(frozen=True)
class Swap:
    """The searches of all clients, and when the reload began and ended (seconds on the monotonic clock)."""

    searches: list[Search]
    began: float
    ended: float


def main() -> None:
    """Measure, print the table, write the results and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, help="folder of a finished run on the sample; none: trains now")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--think-ms", type=float, default=100, help="pause of a client between two searches")
    parser.add_argument("--seconds", type=float, default=10, help="length of the phases before and after")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run = options.run or train(Path(temporary))
        measured = measure(run, Path(temporary), options.clients, options.think_ms / 1000, options.seconds)
    print(table(measured))
    options.results.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.results == RESULTS:
        hero_picture.PICTURE.write_text(hero_picture.svg(measured), encoding="utf-8")


def train(folder: Path) -> Path:
    """Tune on the sample and return the folder of the run. Exits with the trainer's code if it promotes nothing."""
    flags = [*tune.FLAGS, "--work", str(folder / "run"), "--out", str(folder / "promoted")]
    code = subprocess.call([sys.executable, "-m", "trainer", "run", *flags])
    if code:
        sys.exit(code)
    return folder / "run"


def measure(run: Path, folder: Path, clients: int, think: float, seconds: float) -> dict[str, Any]:
    """Serve the sample in `folder`, and replace the base by the package of `run` while `clients` search."""
    report = Report.model_validate_json((run / "report.json").read_text(encoding="utf-8"))
    verdict = Verdict.model_validate_json((run / "verdict.json").read_text(encoding="utf-8"))
    data = tune.dataset()
    if {query.id for query in report.queries} != data.good("test").keys():
        sys.exit(f"the run in {run} was tested on other questions than the sample's: name another one, or none")
    shutil.copytree(run / "package", folder / "checkpoints" / _TUNED)
    with service.running(folder / "data", folder / "checkpoints", BASE, SAMPLE="true") as started:
        url = started.base_url
        base, before = _model(url), tune.ask(url, data)
        searches = [{"query": query.text, "k": tune.DEPTH} for query in report.queries]
        swap = swapped(url, Clients(url, searches, clients, think), seconds)
        after = tune.ask(url, data)
        question = chosen(url, data, {base: before, _model(url): after})
    return {
        "machine": machine.describe(),
        "documents": len(data.corpus),
        "questions": {split: len(data.good(split)) for split in ("train", "test")},
        "question": question,
        "verdict": {
            "outcome": verdict.outcome,
            "better": report.wins,
            "worse": report.losses,
            "first_before": sum(query.good_before == 1 for query in report.queries),
            "first_after": sum(query.good_after == 1 for query in report.queries),
        },
        "swap": {"clients": clients, "think_ms": think * 1000, **counted(swap)},
    }


def swapped(url: str, clients: Clients, seconds: float) -> Swap:
    """Reload the tuned model while the clients search, and let them search `seconds` before and after."""
    time.sleep(seconds)
    began = time.monotonic()
    service.reload(url, _TUNED)
    ended = time.monotonic()
    time.sleep(seconds)
    return Swap(clients.stop(), began, ended)


def counted(swap: Swap) -> dict[str, Any]:
    """Searches and failures; and in spans of equal time how many the old model answered, the new one, and none.

    The reload's beginning and end are in seconds from the first search.
    """
    zero, newest = swap.searches[0].began, max(search.generation for search in swap.searches)
    step = (swap.searches[-1].began - zero) / _BARS
    bars = [[0, 0, 0] for _ in range(_BARS)]
    for search in swap.searches:
        answered = 2 if search.failure else int(search.generation == newest)
        bars[min(int((search.began - zero) / step), _BARS - 1)][answered] += 1
    return {
        "searches": len(swap.searches),
        "failed": sum(bool(search.failure) for search in swap.searches),
        "reload": [swap.began - zero, swap.ended - zero],
        "bar_seconds": step,
        "bars": bars,
    }


@dataclass(frozen=True)
class Asked:
    """A question, its good documents, and the ids of its results before and after, best first."""

    id: str
    text: str
    good: set[str]
    before: list[str]
    after: list[str]

    @property
    def gain(self) -> float:
        """The gain in nDCG@10."""
        return ranking.ndcg(self.after, self.good) - ranking.ndcg(self.before, self.good)

    @property
    def turned(self) -> bool:
        """Whether a good document is among those that the picture shows, and was not before."""
        return bool(self.good & {*self.after[:_SHOWN]}) and not self.good & {*self.before[:_SHOWN]}


def chosen(url: str, data: Dataset, results: dict[str, dict[str, list[str]]]) -> dict[str, Any]:
    """The question that the rule of this module chooses, with the texts to show.

    `results` are the ids by question, by the id of the model: of the base, then of the tuned one. Raises LookupError
    if no question has room.
    """
    good, (before, after) = data.good("test"), results.values()
    asked = [Asked(query, data.queries[query], good[query], before[query], after[query]) for query in before]
    fitting = []
    for one in filter(lambda one: one.turned, asked):
        lists = [
            _listed(url, model, one, [(document, data.corpus[document].text) for document in ranked[:_SHOWN]])
            for model, ranked in zip(results, (one.before, one.after), strict=True)
        ]
        length = hero_picture.length(one.text, [line["text"] for lines in lists for line in lines])
        if length is not None:
            fitting.append((-one.gain, length, one.id, one, lists))
    if not fitting:
        raise LookupError("no question that got better has texts with room in the picture: make its limits wider")
    *_, one, (first, second) = min(fitting, key=lambda entry: entry[:3])
    return {
        "id": one.id,
        "text": one.text,
        "asked_for": tune.DEPTH,
        "rank_before": _rank(one.before, one.good),
        "rank_after": _rank(one.after, one.good),
        "before": first,
        "after": second,
    }


def _listed(url: str, model: str, one: Asked, documents: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Each document by its id, the sentence that is nearest to the question by `model`, and whether it is good."""
    sentences = [(document, sentence) for document, text in documents for sentence in _SENTENCE_ENDS.split(text)]
    body = {"model": model, "input": [one.text, *(sentence for _, sentence in sentences)]}
    answer = httpx.post(f"{url}/v1/embeddings", json=body, timeout=60).raise_for_status().json()
    query, *vectors = (np.array(entry["embedding"]) for entry in answer["data"])
    near = dict(zip(sentences, (float(query @ vector) for vector in vectors), strict=True))
    nearest = {
        document: max((entry for entry in near if entry[0] == document), key=near.__getitem__)[1]
        for document, _ in documents
    }
    return [{"id": document, "text": text, "good": document in one.good} for document, text in nearest.items()]


def _model(url: str) -> str:
    """The id of the checkpoint that answers."""
    return str(httpx.get(f"{url}/info", timeout=60).raise_for_status().json()["model"])


def _rank(ranked: list[str], good: set[str]) -> int | None:
    """The place of the first good document, from 1; None: none is among those that were asked for."""
    return next((place for place, document in enumerate(ranked, 1) if document in good), None)


def table(measured: dict[str, Any]) -> str:
    """What the picture says, as Markdown."""
    question, verdict, swap = measured["question"], measured["verdict"], measured["swap"]
    lines = [f"“{question['text']}” ({question['id']}), first three passages:", "", "| before | after |", "|---|---|"]
    lines += [
        "| " + " | ".join(f"{line['text']}{' **good**' if line['good'] else ''}" for line in pair) + " |"
        for pair in zip(question["before"], question["after"], strict=True)
    ]
    tests = measured["questions"]["test"]
    return "\n".join(
        [
            *lines,
            "",
            "| test questions | better | worse | good passage first, before | after | verdict |",
            "|---" * 6 + "|",
            f"| {tests} | {verdict['better']} | {verdict['worse']} | {verdict['first_before'] / tests:.0%} |"
            f" {verdict['first_after'] / tests:.0%} | {verdict['outcome']} |",
            "",
            "| clients | searches | failed | by the old model | by the new one | reload, s |",
            "|---" * 6 + "|",
            f"| {swap['clients']} | {swap['searches']:,} | {swap['failed']} | {sum(bar[0] for bar in swap['bars']):,} |"
            f" {sum(bar[1] for bar in swap['bars']):,} | {swap['reload'][1] - swap['reload'][0]:.1f} |",
        ]
    )


if __name__ == "__main__":
    main()
