"""`make bench-index`: the index beside the others of FAISS, hnswlib and usearch, by size.

All are built and measured on equal vectors, one after the other, in a new process each. Instar sets its effort itself.
The others get the least effort with which they find as much. hnswlib and usearch have an environment of their own.
`INSTAR_INDEX__HNSW_FROM` and the choice of HNSW come from this table.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from benchmarks import machine
from benchmarks.peers.faiss_indexes import INDEXES
from benchmarks.vectors import corpus_and_queries

RESULTS = Path(__file__).parent / "results" / "index.json"
_ROOT = Path(__file__).parents[1]
_PEERS = _ROOT / ".venv-search"
_PEERS_NEED = ("hnswlib==0.8.0", "usearch==2.26.6", "numpy")
_QUERIES = 500
_MODULES = {**dict.fromkeys(INDEXES, "faiss_indexes"), "hnswlib": "hnswlib_index", "usearch": "usearch_index"}


def main() -> None:
    """Measure, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--indexes", nargs="+", choices=_MODULES, default=list(_MODULES))
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    kept = [size for size in machine.sizes_before(options.results) if size["vectors"] not in options.sizes]
    sizes = [*kept, *(measure(size, options.indexes) for size in options.sizes)]
    results = {"machine": machine.describe(), "sizes": sorted(sizes, key=lambda size: int(size["vectors"]))}
    print(table(results))
    options.results.write_text(json.dumps(results, indent=1) + "\n")


def table(results: dict[str, Any]) -> str:
    """The results as Markdown tables, with their ratios to Instar's."""
    lines = []
    for size in results["sizes"]:
        instar = size["indexes"][0]
        lines += [
            f"**{size['vectors']:,} vectors**",
            "",
            "| index | recall@10 | effort | searches/s, 1 client | to Instar's | 32 clients | to Instar's | build s |"
            " bytes a vector | never found |",
            "|---" * 10 + "|",
        ]
        lines += [
            f"| {index['name']} | {index['recall']:.3f} | {index['effort']} | {index['one']:,.0f} |"
            f" {index['one'] / instar['one']:.2f}x | {index['many']:,.0f} | {index['many'] / instar['many']:.2f}x |"
            f" {index['build_s']:.1f} | {index['bytes']:,.0f} | {index.get('cut_off', '')} |"
            for index in size["indexes"]
        ]
        lines.append("")
    return "\n".join(lines[:-1])


def measure(size: int, names: list[str]) -> dict[str, Any]:
    """Measure the indexes `names` on `size` vectors."""
    vectors, queries = corpus_and_queries(size, _QUERIES)
    _, right = faiss.knn(queries, vectors, 10, metric=faiss.METRIC_INNER_PRODUCT)
    with tempfile.TemporaryDirectory() as folder:
        for name, array in (("vectors", vectors), ("queries", queries), ("right", right)):
            np.save(Path(folder) / f"{name}.npy", array)
        del vectors
        instar = _run("Instar", folder, 0)
        others = [_run(name, folder, instar["recall"]) for name in names if name != "Instar"]
        return {"vectors": size, "indexes": [instar, *others]}


def _run(name: str, folder: str, recall: float) -> dict[str, Any]:
    print(f"{name} ...", file=sys.stderr)
    python = Path(sys.executable) if name in INDEXES else _peers()
    run = subprocess.run(
        [str(python), "-m", f"benchmarks.peers.{_MODULES[name]}", name, folder, str(recall)],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: dict[str, Any] = json.loads(run.stdout)
    return figures


def _peers() -> Path:
    python = _PEERS / "bin" / "python"
    if not (_PEERS / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", str(_PEERS)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *_PEERS_NEED], check=True)
        (_PEERS / "installed").touch()
    return python


if __name__ == "__main__":
    main()
