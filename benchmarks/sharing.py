"""`make bench-sharing`: the embedding of a reload, shared out to 1, 2 and 4 processes with one core each."""

import argparse
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks import machine, service, texts
from benchmarks.service import Service
from benchmarks.swap import make_checkpoint
from tests.support import postgres

RESULTS = Path(__file__).parent / "results" / "sharing.json"
_MODELS = ("first", "second")
_EMBEDDED = re.compile(r"(\d+)(?: of \d+)? documents were embedded (?:by this|for another) replica")


def main() -> None:
    """Measure, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=6000)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgres.running() as server:
        results = {
            "machine": machine.describe(),
            "documents": options.documents,
            "counts": measure(Path(folder), server.url(), options.documents, options.processes),
        }
    print(table(results))
    options.results.write_text(json.dumps(results, indent=1) + "\n")


def table(results: dict[str, Any]) -> str:
    """The results as a Markdown table. Ratios are to its first row."""
    heads = ("processes", "cores", "documents/s", "to the first", "whole reload s", "to the first", "least part")
    lines = [
        f"{results['documents']:,} documents; {results['machine']['cores']} cores, {results['machine']['processor']}",
        "",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    first = results["counts"][0]
    lines += [
        f"| {row['processes']} | {row['cores']} | {row['rate']:.1f} | {row['rate'] / first['rate']:.2f}x |"
        f" {row['seconds']:.1f} | {first['seconds'] / row['seconds']:.2f}x |"
        f" {min(row['parts']) * len(row['parts']) / sum(row['parts']):.0%} |"
        for row in results["counts"]
    ]
    return "\n".join(lines)


def measure(folder: Path, url: str, documents: int, counts: Sequence[int]) -> list[dict[str, Any]]:
    """Reload `documents` passages with each number of processes, on the server at `url`."""
    checkpoints = folder / "checkpoints"
    for seed, name in enumerate(_MODELS):
        make_checkpoint(checkpoints / name, seed)
    tried = _tried(folder / "tried", checkpoints)
    measured = []
    for count in counts:
        with running(folder / f"of-{count}", checkpoints, count, url, tried) as replicas:
            service.write(replicas[0].base_url, texts.passages(documents))
            reloaded = service.reload(replicas[0].base_url, _MODELS[1])
            parts = [_embedded(replica) for replica in replicas]
            if sum(parts) < documents:
                raise RuntimeError(f"{documents} documents, of which the logs name {parts}")
        cores = min(count, len(os.sched_getaffinity(0)))
        measured.append(
            {"processes": count, "cores": cores, "rate": reloaded.rate, "seconds": reloaded.seconds, "parts": parts}
        )
    return measured


@contextmanager
def running(folder: Path, checkpoints: Path, count: int, url: str, tried: Path) -> Iterator[list[Service]]:
    """So many replicas on the database at `url`, in a schema of their own, each on one core.

    They know the engines in `tried`, a folder of a service that has tried the checkpoints.
    """
    cores = sorted(os.sched_getaffinity(0))
    folder.mkdir()
    with ExitStack() as started:
        replicas = []
        for number in range(count):
            data = folder / f"replica-{number}"
            shutil.copytree(tried, data / "engines")
            with _pinned(cores[number % len(cores)]):
                replica = service.running(
                    data,
                    checkpoints,
                    _MODELS[0],
                    STORE=url,
                    REPLICAS__NAME=data.name,
                    REPLICAS__DB_SCHEMA=folder.name.replace("-", "_"),
                    REPLICAS__SECRETS_DIR=str(folder),
                )
                replicas.append(started.enter_context(replica))
            # A start forgets the engines of checkpoints that no generation has.
            shutil.copytree(tried, data / "engines", dirs_exist_ok=True)
        yield replicas


@contextmanager
def _pinned(core: int) -> Iterator[None]:
    """Processes that are started within the block run on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _tried(folder: Path, checkpoints: Path) -> Path:
    """The folder of engines of a service on one core that has tried both checkpoints."""
    with _pinned(min(os.sched_getaffinity(0))), service.running(folder, checkpoints, _MODELS[0]) as started:
        service.write(started.base_url, texts.passages(10))
        service.reload(started.base_url, _MODELS[1])
    return folder / "engines"


def _embedded(replica: Service) -> int:
    return sum(map(int, _EMBEDDED.findall(replica.log.read_text())))


if __name__ == "__main__":
    main()
