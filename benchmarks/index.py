"""`make bench-index`: the index beside the others of FAISS, hnswlib, usearch and SVS, by size.

All are built and measured on equal vectors, one after the other, in a new process each. Instar sets its effort itself,
by questions that are made of the texts. The others get the least effort with which they find as much. Those that are
not FAISS's have environments of their own. `INSTAR_INDEX__HNSW_FROM` and the choice of HNSW come from this table.
`--fair` takes passages that all differ and are all really embedded (`python -m benchmarks.fair`), in place of vectors
that are made of some thousand real ones.
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

from benchmarks import fair, machine
from benchmarks.asked import questions_of
from benchmarks.peers.faiss_indexes import INDEXES
from benchmarks.vectors import corpus_and_queries, real_texts

RESULTS = Path(__file__).parent / "results" / "index.json"
_ROOT = Path(__file__).parents[1]
_QUERIES = 500
_SVS = ("SVS, fp16", "SVS, LVQ 4x8")
_MODULES = {
    **dict.fromkeys(INDEXES, "faiss_indexes"),
    "hnswlib": "hnswlib_index",
    "usearch": "usearch_index",
    **dict.fromkeys(_SVS, "svs_index"),
}
# The environment of a module, and what it needs.
_PEERS = (_ROOT / ".venv-search", ("hnswlib==0.8.0", "usearch==2.26.6", "numpy"))
_ENVIRONMENTS = {
    "hnswlib_index": _PEERS,
    "usearch_index": _PEERS,
    "svs_index": (_ROOT / ".venv-svs", ("scalable-vs==0.5.0", "numpy")),
}


def main() -> None:
    """Measure, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--indexes", nargs="+", choices=_MODULES, default=_here())
    parser.add_argument("--fair", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.fair and max(options.sizes) > fair.available():
        parser.error(f"{fair.available():,} passages are embedded: run python -m benchmarks.fair, or ask for fewer")
    measured = [measure(size, options.indexes, is_fair=options.fair) for size in options.sizes]
    now = {_key(size) for size in measured}
    sizes = [*(size for size in machine.sizes_before(options.results) if _key(size) not in now), *measured]
    results = {"machine": machine.describe(), "sizes": sorted(sizes, key=_key)}
    print(table(results))
    options.results.write_text(json.dumps(results, indent=1) + "\n")


def _here() -> list[str]:
    """The indexes that run on this processor."""
    intel = "GenuineIntel" in Path("/proc/cpuinfo").read_text()
    return [name for name in _MODULES if intel or name != "SVS, LVQ 4x8"]


def _key(size: dict[str, Any]) -> tuple[bool, int]:
    return bool(size.get("fair")), int(size["vectors"])


def table(results: dict[str, Any]) -> str:
    """The results as Markdown tables, with their ratios to Instar's."""
    lines = []
    for size in results["sizes"]:
        instar = size["indexes"][0]
        lines += [
            f"**{size['vectors']:,} {'passages that all differ' if size.get('fair') else 'vectors'}**",
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


def measure(size: int, names: list[str], *, is_fair: bool) -> dict[str, Any]:
    """Measure the indexes `names` on `size` vectors."""
    vectors, queries = (fair.corpus_and_queries if is_fair else corpus_and_queries)(size, _QUERIES)
    _, right = faiss.knn(queries, vectors, 10, metric=faiss.METRIC_INNER_PRODUCT)
    with tempfile.TemporaryDirectory() as folder:
        asked = questions_of(fair.texts(size) if is_fair else real_texts())
        for name, array in (("vectors", vectors), ("queries", queries), ("right", right), ("asked", asked)):
            np.save(Path(folder) / f"{name}.npy", array)
        del vectors
        instar = _run("Instar", folder, 0)
        others = [_run(name, folder, instar["recall"]) for name in names if name != "Instar"]
        return {"vectors": size, **({"fair": True} if is_fair else {}), "indexes": [instar, *others]}


def _run(name: str, folder: str, recall: float) -> dict[str, Any]:
    print(f"{name} ...", file=sys.stderr)
    python = Path(sys.executable) if name in INDEXES else _environment(_MODULES[name])
    run = subprocess.run(
        [str(python), "-m", f"benchmarks.peers.{_MODULES[name]}", name, folder, str(recall)],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: dict[str, Any] = json.loads(run.stdout)
    return figures


def _environment(module: str) -> Path:
    folder, needed = _ENVIRONMENTS[module]
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *needed], check=True)
        (folder / "installed").touch()
    return python


if __name__ == "__main__":
    main()
