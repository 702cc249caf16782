"""`make bench-modes`: how well search by vector, by keyword and by both ranks, and how long it takes.

The judged queries are those of the sample corpus, the three rarest words of each of them, first lines of Python's
docstrings, whose rest is to be found, and with `--beir FOLDER` those of other data (the test split). Each is searched
with a good model and with a poor one, by the weights that the service has found for its hybrid searches: estimated,
and then, where queries have one good document each, fitted on half of the documents and measured on the others. The
times are of one client whose searches take turns in their modes, by the number of documents: with the good model, and
with the poor one, which encodes a query in no time. `--only` measures one of both and leaves the other.
"""

import argparse
import ast
import json
import re
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import httpx
import numpy as np

from benchmarks import base, machine, service, texts
from benchmarks.growth import make_static
from benchmarks.sample import Judged, load_beir, load_sample
from service import ranking
from service.corpus.judgements import Side
from service.search.retrieval import Mode

RESULTS = Path(__file__).parent / "results" / "modes.json"
MODES: tuple[Mode, ...] = get_args(Mode)
# The base model, and its word vectors, averaged.
_GOOD, _POOR = "all-MiniLM-L6-v2", "word-vectors"
# The quarters of the documents whose queries are judgements, and their sides.
_SIDES: dict[int, Side] = {0: "train", 1: "judge"}
_WORDS = 40
# Questions that are asked in each mode, and those that are asked before and not counted.
_SEARCHES, _WARMING = 300, 20
_TOGETHER = 100


def main() -> None:
    """Measure, print the tables and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beir", type=Path, nargs="*", default=[], help="folders with corpus, queries and qrels")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--models", nargs="+", choices=(_GOOD, _POOR), default=[_GOOD, _POOR], help="of the times")
    parser.add_argument("--only", choices=("quality", "sizes"))
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if options.only else {}
    results["machine"] = machine.describe()
    if options.only != "sizes":
        results["quality"] = [row for name, judged in _sets(options.beir) for row in quality(name, judged)]
    if options.only != "quality":
        results["sizes"] = [cost(size, model) for size in options.sizes for model in options.models]
    print(table(results))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def table(results: dict[str, Any]) -> str:
    """The results as Markdown tables."""
    lines = [
        f"| nDCG@10 | model | queries | {' | '.join(MODES)} | weights | | to the better part |",
        f"|{'---|' * (len(MODES) + 6)}",
    ]
    for row in results["quality"]:
        better = max(row["dense"], row["keyword"])
        shown = " | ".join(f"{row[mode]:.3f}" for mode in MODES)
        weights = row["weights"]
        lines.append(
            f"| {row['data']} | {row['model']} | {row['queries']:,} | {shown} | {weights['dense']:.2f} to"
            f" {weights['keyword']:.2f} | {weights['source']} | {row['hybrid'] - better:+.3f} |"
        )
    heads = [f"{mode} {figure} ms" for mode in MODES for figure in ("p50", "p99")]
    lines += [
        "",
        f"| documents | model | {' | '.join(heads)} | hybrid p50 to dense |",
        f"|{'---|' * (len(heads) + 3)}",
    ]
    for row in results["sizes"]:
        shown = " | ".join(f"{row[mode][figure]:.1f}" for mode in MODES for figure in ("p50", "p99"))
        ratio = row["hybrid"]["p50"] / row["dense"]["p50"]
        lines.append(f"| {row['documents']:,} | {row['model']} | {shown} | {ratio:.2f} |")
    return "\n".join(lines)


def _sets(folders: Sequence[Path]) -> Iterator[tuple[str, Judged]]:
    sample = load_sample()
    yield "sample corpus", sample
    yield "sample corpus, rarest words", _rarest_words(sample)
    yield "Python's docstrings", _docstrings()
    for folder in folders:
        yield folder.name, load_beir(folder)


def _rarest_words(judged: Judged) -> Judged:
    """Queries as people type them who look for a word: the three rarest words of each, in their order."""
    counts = Counter(word for text in judged.corpus.values() for word in set(_words(text)))

    def shortened(query: str) -> str:
        words = [word for word in dict.fromkeys(_words(query)) if counts[word]]
        rarest = set(sorted(words, key=lambda word: counts[word])[:3])
        return " ".join(word for word in words if word in rarest) or query

    return replace(judged, queries={key: shortened(query) for key, query in judged.queries.items()})


def _docstrings() -> Judged:
    """Docstrings of the standard library: the first line is a query, and the text after it the document."""
    pairs: dict[str, str] = {}
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("[a-l]*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                first, _, rest = (ast.get_docstring(node) or "").partition("\n\n")
                if len(rest) >= 150 and 20 <= len(first) <= 200:
                    pairs.setdefault(" ".join(first.split()), rest[:1000])
    queries = {f"q{number}": query for number, query in enumerate(pairs)}
    corpus = {f"d{number}": rest for number, rest in enumerate(pairs.values())}
    return Judged(queries, corpus, {f"q{number}": {f"d{number}"} for number in range(len(pairs))}, {})


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def quality(data: str, judged: Judged) -> list[dict[str, Any]]:
    """Measure nDCG@10 by mode, for each model and each source of its weights."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make_models(folder)
        with (
            service.running(folder / "data", folder, _POOR) as started,
            httpx.Client(base_url=started.base_url, timeout=600) as client,
        ):
            documents = [{"id": identity, "text": text} for identity, text in judged.corpus.items()]
            for start in range(0, len(documents), _TOGETHER):
                body = {"documents": documents[start : start + _TOGETHER]}
                client.post("/documents", json=body).raise_for_status()
            rows = [_row(client, data, judged, model) for model in _reloaded(started.base_url)]
            judgements, others = _divided(judged)
            if judgements:
                client.put("/admin/judgements", json={"judgements": judgements}).raise_for_status()
                rows += [_row(client, data, others, model) for model in _reloaded(started.base_url)]
            return rows


def _divided(judged: Judged) -> tuple[list[dict[str, Any]], Judged]:
    """Judgements of both sides on half of the documents, and the queries of the others.

    There are none where queries have several good documents, because these connect nearly all queries to one side.
    """
    if any(len(good) > 1 for good in judged.good.values()):
        return [], judged
    document_of = {query: next(iter(good)) for query, good in judged.good.items()}
    part = {document: number % 4 for number, document in enumerate(sorted(set(document_of.values())))}
    judgements = [
        {"query": judged.queries[query], "document": document, "good": True, "side": _SIDES[part[document]]}
        for query, document in document_of.items()
        if part[document] in _SIDES
    ]
    others = {query: good for query, good in judged.good.items() if part[document_of[query]] not in _SIDES}
    return judgements, replace(judged, good=others)


def _reloaded(base_url: str) -> Iterator[str]:
    """The names of both models, each after a reload that has made it answer with the whole corpus."""
    for model in (_GOOD, _POOR):
        service.reload(base_url, model, force=True)
        yield model


def _row(client: httpx.Client, data: str, judged: Judged, model: str) -> dict[str, Any]:
    weights = client.get("/info").raise_for_status().json()["weights"]["default"]
    kept = {name: weights[name] for name in ("dense", "keyword", "source", "queries")}
    figures: dict[str, float] = {mode: _ndcg(client, judged, mode) for mode in MODES}
    return {"data": data, "model": model, "queries": len(judged.good), **figures, "weights": kept}


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


def cost(size: int, model: str) -> dict[str, Any]:
    """Measure the milliseconds of a search by mode, on `size` documents embedded by `model`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make_models(folder)
        with service.running(folder / "data", folder, model) as started:
            service.write(started.base_url, texts.passages(size, words=_WORDS))
            service.settled(started)
            costs: dict[str, Any] = {"documents": size, "model": model}
            for mode, times in _times(started.base_url).items():
                costs[mode] = {"p50": float(np.percentile(times, 50)), "p99": float(np.percentile(times, 99))}
            return costs


def _times(base_url: str) -> dict[Mode, list[float]]:
    """The milliseconds of each search, by mode. All modes are asked the same question before the next one."""
    questions = texts.questions()
    times: dict[Mode, list[float]] = {mode: [] for mode in MODES}
    with httpx.Client(base_url=base_url, timeout=60) as client:
        for number in range(-_WARMING, _SEARCHES):
            for mode in MODES:
                began = time.perf_counter()
                body = {"query": questions[number % len(questions)], "mode": mode}
                client.post("/search", json=body).raise_for_status()
                if number >= 0:
                    times[mode].append((time.perf_counter() - began) * 1000)
    return times


def _make_models(folder: Path) -> None:
    make_static(folder / _POOR, 0)
    (folder / _GOOD).symlink_to(base.folder())


if __name__ == "__main__":
    main()
