"""`make bench-clicks`: what judgements derived from clicks are worth, on simulated users whose truth is known.

Four generations rank thirty documents for each of sixty queries, one after the other, and differ. The users know
nothing of propensities or of counts. Each goes down the list with a patience of its own; some begin in the middle and
jump over results, some glance at three, some read the answer and look at no result. A user who looks at a result
guesses from its snippet how useful it is, and thinks better of what stands first (trust bias). Snippets mislead, some
of them everybody. The user clicks, stays for longer if the document was useful, and then leaves or reads on.

Each way of judging gives every document that was shown a figure, from that table of counts alone:

- raw clicks: how often it was clicked
- click-through rate: clicks for each time that it was shown
- COEC: clicks over the clicks that its ranks get on average
- derived: the weight that the service derives, below 0 for bad, 0 for documents shown fewer than ten times
- derived by 1/rank: the same with assumed propensities, which are not measured
"""

import argparse
import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine
from service.learning.base import Derived, Event, Impressions
from service.learning.derive import Rules, derive
from service.learning.outcomes import FULL_VISIT
from service.learning.propensity import assumed, estimate

RESULTS = Path(__file__).parent / "results" / "clicks.json"
CLICKS = (100, 1_000, 10_000, 100_000)
QUERIES, DOCUMENTS, USEFUL, GENERATIONS, SHOWN, USERS = 60, 30, 4, 4, 10, 2_000
WAYS = ("raw clicks", "click-through rate", "COEC", "derived by 1/rank", "derived")
FIGURES = ("auc", "auc of shown often", "good", "bad")

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Booleans: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Habits:
    """How users read.

    `leaves` is the chance to leave after a result that was looked at, `satisfied` the chance to leave after a visit to
    the most useful document. `hasty` is the share that glances at three results or jumps. `zeal` is the share of all
    clicks that one user makes, each on the first useless document. `trust` is added to how useful the first looks.
    """

    leaves: float = 0.12
    satisfied: float = 0.85
    hasty: float = 0.3
    zeal: float = 0.0
    trust: float = 0.3


USUAL = Habits()
PATIENT = Habits(leaves=0.02, satisfied=0.3, hasty=0.0)
SCEPTICAL = replace(PATIENT, trust=0.0)
ZEALOUS = Habits(zeal=0.1)


@dataclass(frozen=True)
class World:
    """Which documents are useful (queries, documents), how their snippets look, and what each generation shows."""

    useful: Booleans
    usefulness: Floats
    snippet: Floats
    shown: Integers
    asked: Floats


@dataclass(frozen=True)
class Log:
    """Searches of simulated users: (searches,) each, `looked`, `clicked` and `seconds` (searches, ranks)."""

    generation: Integers
    query: Integers
    user: Integers
    looked: Booleans
    clicked: Booleans
    seconds: Floats


def world(rng: np.random.Generator) -> World:
    """Queries, documents and generations, drawn anew for each seed."""
    useful = np.zeros((QUERIES, DOCUMENTS), dtype=bool)
    useful[:, :USEFUL] = True
    usefulness = np.where(useful, rng.uniform(0.6, 1, useful.shape), rng.uniform(0, 0.3, useful.shape))
    snippet = usefulness + rng.normal(0, 0.15, useful.shape)
    quality = np.linspace(0.5, 1.1, GENERATIONS)[:, None, None]
    scores = quality * usefulness + rng.normal(0, 0.35, (GENERATIONS, *useful.shape))
    popular = 1 / np.arange(1, QUERIES + 1)
    return World(useful, usefulness, snippet, np.argsort(-scores)[..., :SHOWN], popular / popular.sum())


def visits(rng: np.random.Generator, there: World, habits: Habits, generation: int, searches: int) -> Log:
    """What users do with the results of so many searches."""
    query = rng.choice(QUERIES, searches, p=there.asked)
    listed = there.shown[generation][query]
    usefulness = there.usefulness[query[:, None], listed]
    snippet = there.snippet[query[:, None], listed]
    reads = 0.85 - habits.hasty
    # Reads down, glances, jumps, does not look.
    kind = rng.choice(4, searches, p=[reads, habits.hasty / 2, habits.hasty / 2, 0.15])
    position = np.where(kind == 2, rng.integers(0, 5, searches), 0)
    patience = np.where(kind == 1, 3, rng.geometric(habits.leaves, searches) + 1)
    standard = rng.normal(0.6, 0.15, searches)
    there_still = kind != 3
    looked, clicked = np.zeros(listed.shape, bool), np.zeros(listed.shape, bool)
    seconds = np.zeros(listed.shape)
    for rank in range(SHOWN):
        jumps = (kind == 2) & (rng.random(searches) < 0.3)
        looks = there_still & (position <= rank) & ~jumps
        impression = snippet[:, rank] + rng.normal(0, 0.15, searches) + habits.trust * np.exp(-rank / 1.5)
        clicks = looks & (impression > standard)
        stay = rng.lognormal(np.log(8 + 60 * usefulness[:, rank] ** 2), 0.8)
        happy = clicks & (rng.random(searches) < habits.satisfied * usefulness[:, rank])
        looked[:, rank], clicked[:, rank], seconds[:, rank] = looks, clicks, np.where(clicks, stay, 0)
        patience = patience - looks
        there_still &= ~happy & (patience > 0)
    user = np.minimum(rng.zipf(1.3, searches), USERS)
    return Log(np.full(searches, generation), query, user, looked, clicked, seconds)


def zealous(rng: np.random.Generator, there: World, generation: int, clicks: int) -> Log:
    """One user, who clicks the first useless result of five queries."""
    query = rng.choice(5, clicks)
    listed = there.shown[generation][query]
    useless = ~there.useful[query[:, None], listed]
    target = np.argmax(useless, axis=1)
    clicked = np.arange(SHOWN) == target[:, None]
    looked = np.arange(SHOWN) <= target[:, None]
    clicked &= useless
    return Log(np.full(clicks, generation), query, np.zeros(clicks, int), looked, clicked, clicked * 60.0)


def history(rng: np.random.Generator, there: World, habits: Habits, clicks: int) -> Log:
    """As many searches as it takes to that number of clicks, a quarter with each generation."""
    logs = []
    for generation in range(GENERATIONS):
        share = clicks // GENERATIONS
        single = int(share * habits.zeal)
        log = visits(rng, there, habits, generation, 4 * share + 50)
        last = int(np.searchsorted(log.clicked.sum(axis=1).cumsum(), share - single)) + 1
        logs += [cut(log, slice(last)), zealous(rng, there, generation, single)]
    return joined(logs)


def cut(log: Log, rows: slice) -> Log:
    """Some of the searches."""
    return Log(*(column[rows] for column in vars(log).values()))


def joined(logs: list[Log]) -> Log:
    """The searches of all logs."""
    return Log(*map(np.concatenate, zip(*(vars(log).values() for log in logs), strict=True)))


def impressions(there: World, log: Log) -> list[Impressions]:
    """The counts that the service keeps of these searches."""
    below: Integers = np.cumsum(log.clicked[:, ::-1], axis=1)[:, ::-1] - log.clicked
    size = GENERATIONS * QUERIES * SHOWN
    cell = ((log.generation * QUERIES + log.query)[:, None] * SHOWN + np.arange(SHOWN)).ravel()
    count = partial(np.bincount, cell, minlength=size)
    dwelt = np.minimum(log.seconds, FULL_VISIT)
    sums = [count(weights=values.ravel()) for values in (log.clicked, ~log.clicked & (below > 0), dwelt)]
    rows = []
    for index, shown in enumerate(count()):
        if shown:
            generation, query, rank = np.unravel_index(index, (GENERATIONS, QUERIES, SHOWN))
            clicked, skipped, seconds = (float(values[index]) for values in sums)
            document = str(there.shown[generation, query, rank])
            identity = ("docs", str(query), document, int(generation), int(rank) + 1)
            rows.append(Impressions(*identity, int(shown), int(clicked), int(skipped), seconds))
    return rows


def events(there: World, log: Log) -> list[Event]:
    """The clicks as events, by which the service knows who clicked how often."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Event(
            f"{search}-{rank}",
            at,
            "click",
            "docs",
            str(log.query[search]),
            (str(there.shown[log.generation[search], log.query[search], rank]),),
            search=str(search),
            user=str(log.user[search]),
        )
        for search, rank in np.argwhere(log.clicked)
    ]


def figures(happened: list[Event], rows: list[Impressions]) -> dict[str, dict[tuple[str, str], float]]:
    """What each way of judging gives each pair (query, document) that was shown."""
    at_rank = {rank: [0.0, 0.0] for rank in range(1, SHOWN + 1)}
    for row in rows:
        at_rank[row.rank][0] += row.clicked
        at_rank[row.rank][1] += row.shown
    pairs = {(row.query, row.document): [0.0, 0.0, 0.0] for row in rows}
    for row in rows:
        sums = pairs[row.query, row.document]
        sums[0] += row.clicked
        sums[1] += row.shown
        sums[2] += row.shown * at_rank[row.rank][0] / max(at_rank[row.rank][1], 1)
    every = Rules(weight=1e-9)
    by_curve, by_measure = (derive(happened, rows, every, chances) for chances in (assumed(SHOWN), None))
    return {
        "raw clicks": {pair: clicks for pair, (clicks, _, _) in pairs.items()},
        "click-through rate": {pair: clicks / shown for pair, (clicks, shown, _) in pairs.items()},
        "COEC": {pair: clicks / max(expected, 1e-9) for pair, (clicks, _, expected) in pairs.items()},
        "derived by 1/rank": dict.fromkeys(pairs, 0.0) | signed(by_curve),
        "derived": dict.fromkeys(pairs, 0.0) | signed(by_measure),
    }


def signed(judgements: list[Derived]) -> dict[tuple[str, str], float]:
    """The weight of each pair, below 0 for bad."""
    return {(one.query, one.document): one.weight if one.good else -one.weight for one in judgements}


def auc(figure: Floats, truth: Booleans) -> float | None:
    """The chance that a useful document has a higher figure than a useless one, ties halved.

    None: one of the kinds is absent.
    """
    if truth.all() or not truth.any():
        return None
    _, place, ties = np.unique(figure, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[place]
    good = truth.sum()
    return float((ranks[truth].sum() - good * (good + 1) / 2) / (good * (~truth).sum()))


def precision(figure: Floats, truth: Booleans, count: int) -> float | None:
    """The share of true ones among the `count` highest figures; of equal ones at the edge, what a draw would give."""
    if not count:
        return None
    edge = np.sort(figure)[-count]
    above, at_edge = figure > edge, figure == edge
    return float((truth[above].sum() + (count - above.sum()) * truth[at_edge].mean()) / count)


def measure(seed: int, habits: Habits, clicks: int) -> dict[str, Any]:
    """The figures of one seed."""
    rng = np.random.default_rng([seed, clicks])
    there = world(rng)
    log = history(rng, there, habits, clicks)
    rows = impressions(there, log)
    clicked = events(there, log)
    ways = figures(clicked, rows)
    judged = dict.fromkeys(ways["derived"], 0.0) | signed(derive(clicked, rows))
    pairs = list(ways["derived"])
    truth = np.array([there.useful[int(query), int(document)] for query, document in pairs])
    values = {name: np.array([way[pair] for pair in pairs]) for name, way in ways.items()}
    given = np.array([judged[pair] for pair in pairs])
    good, bad = int((given > 0).sum()), int((given < 0).sum())
    times = Counter[tuple[str, str]]()
    for row in rows:
        times[row.query, row.document] += row.shown
    often = np.array([times[pair] >= Rules().impressions for pair in pairs])
    looks = log.looked.mean(axis=0)
    return {
        "pairs": len(pairs),
        "good": good,
        "bad": bad,
        "ways": {
            name: {
                "auc": auc(value, truth),
                "auc of shown often": auc(value[often], truth[often]),
                "good": precision(value, truth, good),
                "bad": precision(-value, ~truth, bad),
            }
            for name, value in values.items()
        },
        "looked": (looks / looks[0]).tolist(),
        "estimated": estimate(rows).chance.tolist(),
    }


def summary(habits: Habits, clicks: int, seeds: int) -> dict[str, Any]:
    """The mean of the seeds and half of its 95% interval, of everything that is a number."""
    runs = [measure(seed, habits, clicks) for seed in range(seeds)]

    def spread(way: str, figure: str) -> dict[str, float] | None:
        values = [run["ways"][way][figure] for run in runs if run["ways"][way][figure] is not None]
        if not values:
            return None
        half = 1.96 * np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0.0
        return {"value": float(np.mean(values)), "half": float(half)}

    return {
        **{name: float(np.mean([run[name] for run in runs])) for name in ("pairs", "good", "bad")},
        "ways": {way: {figure: spread(way, figure) for figure in FIGURES} for way in WAYS},
        "looked": np.mean([run["looked"] for run in runs], axis=0).round(3).tolist(),
        "estimated": np.mean([run["estimated"] for run in runs], axis=0).round(3).tolist(),
    }


def main() -> None:
    """Simulate, write the results and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="worlds for each number of clicks")
    seeds = parser.parse_args().seeds
    results = {
        "machine": machine.describe(),
        "seeds": seeds,
        "usual": {clicks: summary(USUAL, clicks, seeds) for clicks in CLICKS},
        "patient": {clicks: summary(PATIENT, clicks, seeds) for clicks in CLICKS[1:]},
        "sceptical": {clicks: summary(SCEPTICAL, clicks, seeds) for clicks in CLICKS[2:]},
        "zealous": {clicks: summary(ZEALOUS, clicks, seeds) for clicks in CLICKS[1:]},
    }
    text = json.dumps(results, indent=1) + "\n"
    RESULTS.write_text(text)
    print(table(json.loads(text)))


def table(results: dict[str, Any]) -> str:
    """The results as Markdown tables."""
    return f"{_judgements(results)}\n\n{_propensities(results)}"


def _judgements(results: dict[str, Any]) -> str:
    lines = [
        "| users | clicks | good / bad, of shown | way | AUC | AUC, shown 10 times | good that are | bad that are |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for users in ("usual", "patient", "sceptical", "zealous"):
        for clicks, entry in results[users].items():
            judged = f"{entry['good']:.0f} / {entry['bad']:.0f} of {entry['pairs']:.0f}"
            for way in WAYS:
                cells = [users, f"{int(clicks):,}", judged] if way == WAYS[0] else ["", "", ""]
                cells += [way, *(_cell(entry["ways"][way][figure]) for figure in FIGURES)]
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _propensities(results: dict[str, Any]) -> str:
    ranks = (2, 3, 4, 5, 7, 10)
    heads = [f"rank {rank}" for rank in ranks]
    lines = [f"| users | clicks | share of the first's looks | {' | '.join(heads)} |", f"|{'---|' * (3 + len(ranks))}"]
    for users in ("usual", "patient", "sceptical"):
        for clicks, entry in results[users].items():
            for label, name in (("in truth", "looked"), ("estimated", "estimated")):
                cells = [users, f"{int(clicks):,}"] if name == "looked" else ["", ""]
                cells += [label, *(f"{entry[name][rank - 1]:.2f}" for rank in ranks)]
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(spread: dict[str, float] | None) -> str:
    return "" if spread is None else f"{spread['value']:.3f} ±{spread['half']:.3f}"


if __name__ == "__main__":
    main()
