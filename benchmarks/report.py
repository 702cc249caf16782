"""`make report`: docs/measurements.md out of the results that the benchmarks wrote. No figure there is typed."""

import json
from pathlib import Path
from typing import Any

from benchmarks import contention, index, losses, proof, sample, swap, training

REPORT = Path(__file__).parent.parent / "docs" / "measurements.md"

_TEXT = """# Measurements

Written by `make report` out of `benchmarks/results/`. All on one machine ({machine}); only the ratios
within a table mean anything on another.

## The swap

`make bench-swap`. The clients run in processes of their own on the same cores as the service. "Alone" is the
encoder with the service's bulk batches and nothing else, in the same run.

{swap}

![The same searches over time](swap.png)

## Exact search and HNSW

`make bench-index`. Encoding one question takes 5 to 10 ms with all-MiniLM-L6-v2 on this machine. Up to
`INSTAR_GRAPH_FROM` = 50,000 documents exact search is a fraction of that and needs no building; above, HNSW
keeps it so.

{index}

## A busy neighbour

`make bench-contention`. GNU's OpenMP lets threads that wait for each other spin. When another process takes part
of a core, they spin while the thread that they wait for cannot run. The service therefore sets
`GOMP_SPINCOUNT=1000` unless the environment sets it.

{contention}

## The sample corpus

`make bench-sample`. all-MiniLM-L6-v2, exact cosine over all passages; it does not know the product's words.

{sample}

## Training

`make bench-train`. The same rows, the same loss and as many epochs with the defaults of sentence-transformers' trainer
and with those of `python -m trainer`, one after the other in one process. On a processor with AVX2 nearly all the time
goes into matrix products, which nobody computes in half of it; where they are cheap, as with bf16, the rest counts,
and that is what the trainer's defaults save.

{training}

## A whole run

`make bench-proof ARGS="--beir FOLDER"`. On stackfaq, questions about the answers of 125 Stack Exchange threads (Karan
and Šnajder 2018), in the splits that the data has.

{proof}

## Losses

`make bench-losses ARGS="--beir FOLDER"`. Each loss sees the same judgements and one mined negative for each good
document. "Random pairs" is the mean cosine of random documents, "general set" the change on the sample corpus, which
was not trained on.

{losses}
"""


def main() -> None:
    """Write the report."""
    REPORT.write_text(build())


def build() -> str:
    """The report as the results have it."""
    measured = _results(swap.RESULTS)
    machine = ", ".join(f"{name} {value}" for name, value in measured["machine"].items())
    return _TEXT.format(
        machine=machine,
        swap=swap.table(measured),
        index=index.table(_results(index.RESULTS)),
        contention=contention.table(_results(contention.RESULTS)),
        sample=sample.table(_results(sample.RESULTS)),
        training=training.table(_results(training.RESULTS)),
        proof=proof.table(_results(proof.RESULTS)),
        losses=losses.table(_results(losses.RESULTS)),
    )


def _results(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


if __name__ == "__main__":
    main()
