"""`make bench-models`: the zoo's architectures on the engine that the service chooses, beside sentence-transformers.

The weights are random, but the sizes are real: 384 numbers in 6 layers, and passages of some 130 tokens in the bulk
lane. sentence-transformers computes with its defaults, in fp32 and in batches of 32.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer

from benchmarks import lanes, machine, texts
from tests.support import zoo
from tests.support.zoo import Size, Specimen

RESULTS = Path(__file__).parent / "results" / "models.json"
_SIZE = Size(width=384, layers=6)
_PASSAGES = 48


def main() -> None:
    """Measure, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--results", type=Path, default=machine.beside(RESULTS))
    options = parser.parse_args()
    results = {
        "machine": machine.describe(),
        "models": [measure(specimen, options.rounds) for specimen in zoo.ARCHITECTURES],
    }
    print(table(results))
    options.results.write_text(json.dumps(results, indent=1) + "\n")


def table(results: dict[str, Any]) -> str:
    """The results as a Markdown table."""
    lines = [
        "| architecture | pooling | engine | least cosine | sentence-transformers, tokens/s | Instar, tokens/s | |",
        "|---|---|---|---|---|---|---|",
    ]
    for model in results["models"]:
        ratio = model["instar"] / model["sentence_transformers"]
        lines.append(
            f"| {model['architecture']} | {model['pooling']} | {model['engine']} | {model['least_cosine']:.5f}"
            f" | {model['sentence_transformers']:,.0f} | {model['instar']:,.0f} | {ratio:.2f}x |"
        )
    return "\n".join(lines)


def measure(specimen: Specimen, rounds: int) -> dict[str, Any]:
    """Measure both on equal passages, in turns: the median speeds, and the least cosine between their vectors."""
    passages = texts.passages(_PASSAGES)
    with tempfile.TemporaryDirectory() as parent:
        folder = specimen.save(Path(parent) / "model", _SIZE)
        reference = SentenceTransformer(str(folder), device="cpu")
        with lanes.running(folder) as (encoder, scheduler):
            items = encoder.prepare(passages, "document")
            tokens = sum(item.tokens for item in items)
            rates: dict[str, list[float]] = {"sentence_transformers": [], "instar": []}
            expected = reference.encode_document(passages, normalize_embeddings=True)
            vectors = encoder.finish(scheduler.submit(encoder, items, "bulk").result())
            for _ in range(rounds):
                began = time.perf_counter()
                reference.encode_document(passages, normalize_embeddings=True)
                rates["sentence_transformers"].append(tokens / (time.perf_counter() - began))
                rates["instar"].append(lanes.rate(encoder, scheduler, items, "bulk") * tokens / len(items))
            return {
                "architecture": specimen.name,
                "pooling": specimen.pooling,
                "engine": encoder.engine,
                "least_cosine": float((vectors * expected).sum(axis=1).min()),
                **{name: statistics.median(measured) for name, measured in rates.items()},
            }


if __name__ == "__main__":
    main()
