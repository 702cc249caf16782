"""`make bench-docsgpt`: what DocsGPT puts into a prompt out of chunks of its default size, with and without windows.

The documents of a BEIR folder are joined to chunks as in `benchmarks.long`, written through DocsGPT's vector store in
`deploy/docsgpt`, and searched as DocsGPT 0.19 does by default: it asks for 20 chunks and takes the first two. A
document that answers a question is in the prompt if half of its characters are.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from benchmarks import base, long, machine, service
from benchmarks.sample import Judged, load_beir
from service import significance
from tests.support.docsgpt import load_store

RESULTS = Path(__file__).parent / "results" / "docsgpt.json"
# DocsGPT's default size of a chunk, and the chunks that it takes and asks for.
_TOKENS = 1250
_CHUNKS = 2
_FETCHED = 20
_MODEL = "model"
_SEED = 0
_HALF = 0.5


@dataclass(frozen=True)
class Way:
    """A way to answer DocsGPT: the service's setting, the store's setting, and how many chunks DocsGPT takes."""

    name: str
    long: str
    returned: str
    chunks: int


_WAYS = (
    Way("cut at the model's window", "truncate", "documents", _CHUNKS),
    Way("windows", "windows", "documents", _CHUNKS),
    Way("windows, passages", "windows", "passages", _CHUNKS),
    Way("windows, 8 passages", "windows", "passages", 8),
)


@dataclass(frozen=True)
class Prompts:
    """For each question the share of the best answer's characters that its prompt has (n), and its tokens (n)."""

    shares: NDArray[np.float64]
    tokens: NDArray[np.int64]


def main() -> None:
    """Measure, print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beir", type=Path, required=True, help="a folder with corpus, queries and qrels")
    parser.add_argument("--tokens", type=int, default=_TOKENS, help="tokens of a chunk, at most")
    parser.add_argument("--questions", type=int, default=500, help="test questions, at most")
    options = parser.parse_args()
    results = {"machine": machine.describe(), **measure(options.beir, options.tokens, options.questions)}
    print(table(results))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def table(results: dict[str, Any]) -> str:
    """The results as a Markdown table."""
    lines = [
        f"{results['data']}: {results['questions']} test questions, {results['chunks']} chunks of"
        f" {results['tokens']:,.0f} tokens on average",
        "",
        "| | chunks in the prompt | an answer is in it | to the first row | a whole answer is in it | tokens of it |",
        f"|{'---|' * 6}",
    ]
    for row in results["ways"]:
        change = row["change"]
        difference = f"{change['value']:+.2f} ({change['low']:+.2f} to {change['high']:+.2f})" if change else ""
        lines.append(
            f"| {row['way']} | {row['chunks']} | {row['half']:.2f} | {difference} | {row['whole']:.2f} "
            f"| {row['tokens']:,.0f} |"
        )
    return "\n".join(lines)


def measure(folder: Path, tokens: int, questions: int) -> dict[str, Any]:
    """The figures of each way."""
    tokenizer = Tokenizer.from_file(str(base.folder() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    parts = load_beir(folder)
    asked = dict(islice(parts.good.items(), questions))
    joined = long.join(parts, tokens, tokenizer)
    prompts: dict[str, Prompts] = {}
    for setting in dict.fromkeys(way.long for way in _WAYS):
        with _running(setting) as address:
            _store(address, "documents").add_texts(
                joined.corpus.values(), [{"source": chunk} for chunk in joined.corpus]
            )
            prompts |= {
                way.name: _prompts(_store(address, way.returned), way.chunks, parts, joined, asked, tokenizer)
                for way in _WAYS
                if way.long == setting
            }
    return {
        "data": folder.name,
        "questions": len(asked),
        "chunks": len(joined.corpus),
        "tokens": float(np.mean([len(tokenizer.encode(text)) for text in joined.corpus.values()])),
        "ways": [_row(way, prompts[way.name], prompts[_WAYS[0].name], asked) for way in _WAYS],
    }


@contextmanager
def _running(setting: str) -> Iterator[str]:
    """The address of a service with `setting` for INSTAR_LONG."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / _MODEL).symlink_to(base.folder())
        os.environ["INSTAR_LONG"] = setting
        try:
            with service.running(folder / "data", folder, _MODEL) as started:
                yield started.base_url
        finally:
            del os.environ["INSTAR_LONG"]


def _store(address: str, returned: str) -> Any:
    """DocsGPT's store of one source, as DocsGPT makes it."""
    return load_store(INSTAR_URL=address, INSTAR_RETURN=returned).InstarStore("source", None)


def _prompts(
    store: Any, chunks: int, parts: Judged, joined: Judged, asked: Mapping[str, set[str]], tokenizer: Tokenizer
) -> Prompts:
    """Ask all questions, and look which answers are in the prompts."""
    shares, tokens = [], []
    for query, answers in asked.items():
        texts = store.search(parts.queries[query], k=max(2 * chunks, _FETCHED))[:chunks]
        passages = [_Passage(joined.corpus[text.metadata["source"]], text) for text in texts]
        shares.append(max(passage.share(parts.corpus[answer]) for answer in answers for passage in passages))
        tokens.append(sum(len(tokenizer.encode(text, add_special_tokens=False)) for text in texts))
    return Prompts(np.array(shares), np.array(tokens))


@dataclass(frozen=True)
class _Passage:
    """A part of a chunk."""

    chunk: str
    text: str

    def share(self, answer: str) -> float:
        """The share of the answer's characters that the passage has."""
        first, start = self.chunk.find(answer), self.chunk.index(self.text)
        if first < 0:
            return 0.0
        return max(min(start + len(self.text), first + len(answer)) - max(start, first), 0) / len(answer)


def _row(way: Way, prompts: Prompts, first: Prompts, asked: Mapping[str, set[str]]) -> dict[str, Any]:
    """The means of a way, and its difference to the first one. Questions with equal answers are drawn together."""
    half = prompts.shares >= _HALF
    change = None
    if prompts is not first:
        numbers = {answers: number for number, answers in enumerate(dict.fromkeys(map(frozenset, asked.values())))}
        clusters = np.array([numbers[frozenset(answers)] for answers in asked.values()])
        differences = half.astype(float) - (first.shares >= _HALF)
        low, high = significance.interval(differences, clusters, _SEED)
        change = {"value": float(differences.mean()), "low": low, "high": high}
    return {
        "way": way.name,
        "chunks": way.chunks,
        "half": float(half.mean()),
        "whole": float((prompts.shares >= 1).mean()),
        "change": change,
        "tokens": float(prompts.tokens.mean()),
    }


if __name__ == "__main__":
    main()
