"""`make bench-growth`: reload, switch, restart, search and memory by the number of documents.

A static model (the word vectors of all-MiniLM-L6-v2, averaged) embeds thousands of documents a second, so that the
times are those of everything else. `make bench-swap` measures the time that a real model adds.
"""

import argparse
import json
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import psutil
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from benchmarks import base, machine, service, texts

RESULTS = Path(__file__).parent / "results" / "growth.json"
PICTURE = Path(__file__).parent.parent / "docs" / "growth.png"
_MODELS = ("first", "second")
_WORDS = 40
_SEARCHES = 500
_SWITCHED = re.compile(r"generation (\d+) of .* is active with \d+ documents; writes waited ([\d.]+) ms")


def main() -> None:
    """Measure, print the table, write the results and the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    sizes = {row["documents"]: row for row in machine.sizes_before(options.results)}
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            sizes[size] = measure(Path(folder), size)
        results = {"machine": machine.describe(), "sizes": [sizes[size] for size in sorted(sizes)]}
        options.results.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))
    if options.results == RESULTS:
        draw(results, PICTURE)


def table(results: dict[str, Any]) -> str:
    """The results as a Markdown table."""
    heads = ("documents", "reload s", "writes wait for the switch ms", "restart s", "search p50 ms", "p99 ms")
    lines = [f"| {' | '.join((*heads, 'memory MiB', 'most during the reload MiB'))} |", "|---" * 8 + "|"]
    lines += [
        f"| {row['documents']:,} | {row['reload_s']:.1f} | {row['switch_ms']:.1f} | {row['restart_s']:.1f} |"
        f" {row['p50']:.1f} | {row['p99']:.1f} | {row['memory'] / 2**20:,.0f} | {row['most'] / 2**20:,.0f} |"
        for row in results["sizes"]
    ]
    return "\n".join(lines)


def measure(folder: Path, size: int) -> dict[str, Any]:
    """Write `size` documents, reload, stop, start again, and search."""
    for seed, name in enumerate(_MODELS):
        make_static(folder / name, seed)
    with service.running(folder / "data", folder, _MODELS[0]) as started:
        service.write(started.base_url, texts.passages(size, words=_WORDS))
        service.settled(started)
        with _peak(started.process) as peak:
            reload = service.reload(started.base_url, _MODELS[1]).seconds
        switches = dict(_SWITCHED.findall(started.log.read_text()))
    began = time.perf_counter()
    with service.running(folder / "data", folder, _MODELS[0]) as started:
        restart = time.perf_counter() - began
        times = _searches(started.base_url)
        # The graph is read into memory some seconds after the service is ready.
        service.settled(started)
        return {
            "documents": size,
            "reload_s": reload,
            "switch_ms": float(switches["2"]),
            "restart_s": restart,
            "p50": float(np.percentile(times, 50)),
            "p99": float(np.percentile(times, 99)),
            "memory": _own_bytes(started.process),
            "most": peak[0],
        }


def draw(results: dict[str, Any], picture: Path) -> None:
    """Draw the figures over the number of documents into the file `picture`."""
    mpl.use("Agg")
    sizes = [row["documents"] for row in results["sizes"]]
    shown = (
        ("reload_s", "reload, s"),
        ("restart_s", "restart to ready, s"),
        ("p99", "search p99, ms"),
        ("switch_ms", "writes wait for the switch, ms"),
    )
    figure, axes = plt.subplots(1, len(shown), figsize=(12, 3.2), dpi=110)
    for plot, (key, title) in zip(axes, shown, strict=True):
        plot.plot(sizes, [row[key] for row in results["sizes"]], marker="o", color="#0072b2")
        plot.set_xscale("log")
        plot.set_ylim(bottom=0)
        plot.set_title(title, fontsize=10)
        plot.set_xlabel("documents")
        plot.grid(axis="y", color="#dddddd", linewidth=0.6)
        plot.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(picture)
    plt.close(figure)


@contextmanager
def _peak(process: psutil.Process) -> Iterator[list[int]]:
    """Within the block, keep the most memory of the process's own in the list's only element, in bytes."""
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], _own_bytes(process))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _own_bytes(process: psutil.Process) -> int:
    """The memory of the process without mapped files, which the system may drop whenever it needs the memory."""
    memory = process.memory_info()
    return int(memory.rss - memory.shared)


def _searches(base_url: str) -> list[float]:
    questions = texts.questions()
    times = []
    with httpx.Client(base_url=base_url, timeout=60) as client:
        for number in range(_SEARCHES):
            began = time.perf_counter()
            client.post("/search", json={"query": questions[number % len(questions)], "k": 10}).raise_for_status()
            times.append((time.perf_counter() - began) * 1000)
    return times


def make_static(folder: Path, seed: int) -> None:
    """Save a static model in `folder`: the word vectors of the base model, with a little noise by `seed`."""
    transformer = SentenceTransformer(str(base.folder()), device="cpu")
    words = transformer.state_dict()["0.model.embeddings.word_embeddings.weight"].numpy()
    noise = np.random.default_rng(seed).normal(scale=0.1 * words.std(), size=words.shape).astype(np.float32)
    static = StaticEmbedding(transformer.tokenizer.backend_tokenizer, embedding_weights=words + noise)
    SentenceTransformer(modules=[static]).save_pretrained(str(folder), create_model_card=False)


if __name__ == "__main__":
    main()
