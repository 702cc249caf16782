"""`make tune`: the whole loop once, with a running service that serves the sample corpus.

It asks the service the judged test questions, has the trainer tune, judge, package and reload, and asks again.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import httpx

from service import ranking, sample
from trainer.data import formats, inspection
from trainer.data.dataset import Dataset
from trainer.prepare import splits
from trainer.recipe import Recipe

# How many results of a question are looked at.
DEPTH = 20
# The whole recipe, beside the folders that it writes into.
FLAGS = ("--data", str(sample.file()), "--format", "good-bad")


def main() -> None:
    """Ask, tune, ask again, and print the table. Exits with the trainer's code if the model was not promoted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--out", type=Path, default=Path("checkpoints"))
    options, others = parser.parse_known_args()
    divided = dataset()
    try:
        before = ask(options.url, divided)
    except httpx.HTTPError as error:
        sys.exit(f"no service answers at {options.url} ({error}): run `make serve` in another terminal")
    began = time.monotonic()
    run = [sys.executable, "-m", "trainer", "run", *FLAGS]
    code = subprocess.call([*run, "--out", str(options.out), "--replace", "--reload", options.url, *others])
    if code:
        sys.exit(code)
    print(f"\nThe same test questions, asked of {options.url} before and {time.monotonic() - began:.0f} s later:\n")
    print(table(before, ask(options.url, divided), divided))


def dataset(source: Path | None = None, form: str = "good-bad") -> Dataset:
    """The judged questions of `source` (None: the sample), divided as the trainer divides them by default."""
    data = inspection.cleaned(formats.load(source or sample.file(), form, skip_bad=False).dataset)
    return splits.split(data, "auto", Recipe().seed)[0]


def ask(url: str, data: Dataset) -> dict[str, list[str]]:
    """The ids of the service's results by test question, best first."""
    with httpx.Client(base_url=url, timeout=60) as client:
        rankings = {}
        for query in sorted(data.good("test")):
            answer = client.post("/search", json={"query": data.queries[query], "k": DEPTH}).raise_for_status().json()
            rankings[query] = [result["id"] for result in answer["results"]]
    return rankings


def table(before: dict[str, list[str]], after: dict[str, list[str]], data: Dataset) -> str:
    """The results as a Markdown table, and how many questions changed for the better and for the worse."""
    good, bad = data.good("test"), data.bad("test")
    lines = ["| | before | after |", "|---|---|---|"]
    for k in (1, 3, 5, 10):
        shares = [
            _mean([ranking.recall(ranked[query], good[query], k) for query in good]) for ranked in (before, after)
        ]
        lines.append(f"| recall@{k} | {shares[0]:.3f} | {shares[1]:.3f} |")
    gains = [_mean([ranking.ndcg(ranked[query], good[query]) for query in good]) for ranked in (before, after)]
    lines.append(f"| nDCG@10 | {gains[0]:.3f} | {gains[1]:.3f} |")
    judged = [query for query in good if bad.get(query)]
    ahead = [
        {query for query in judged if _ahead(ranked[query], good[query], bad[query])} for ranked in (before, after)
    ]
    lines += [
        f"| good above bad | {len(ahead[0]) / len(judged):.3f} | {len(ahead[1]) / len(judged):.3f} |",
        "",
        f"Of {len(judged)} questions, {len(ahead[1] - ahead[0])} have the good passage above the bad one now and had"
        f" not before; {len(ahead[0] - ahead[1])} the other way round.",
    ]
    return "\n".join(lines)


def _ahead(ranked: list[str], good: set[str], bad: set[str]) -> bool:
    """Whether a good document is ranked above all bad ones."""

    def best(ids: set[str]) -> int:
        return min((ranked.index(identity) for identity in ids if identity in ranked), default=len(ranked))

    return best(good) < best(bad)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
