"""The formats that judgements come in, and the reading of each into a data set."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.data import (
    beir,
    docsgpt,
    fetching,
    flag_embedding,
    good_bad,
    instar,
    langfuse,
    llama_index,
    open_webui,
    postgres,
    recognition,
    tables,
    ubi,
)
from trainer.data.collected import Collected
from trainer.data.dataset import Dataset
from trainer.data.problems import Problem, listed, require_sound
from trainer.data.review import PutAside
from trainer.errors import BadData

DOCSGPT = "docsgpt"
INSTAR = "instar"
UBI = "ubi"
# Formats whose documents may lie in a file of their own, and formats that may be a file or a folder.
_CORPUS_APART = (DOCSGPT, INSTAR, UBI, "langfuse", "open-webui")
_FILE_OR_FOLDER = (UBI, "langfuse")


@dataclass(frozen=True)
class Format:
    """A format: a line that says what it is, and the function that reads a file of it."""

    says: str
    collect: Callable[[Path, Collected], None]


@dataclass(frozen=True)
class Imported:
    """The data that can be used, the problems of the other rows, and the answers that a person has to judge.

    `before` is the data without the judgements that were added to it from another file, if any were.
    """

    dataset: Dataset
    problems: list[Problem]
    review: list[PutAside]
    before: Dataset | None = None


FORMATS: Mapping[str, Format] = {
    "good-bad": Format("JSON with queries, corpus and relevant_docs, each [good, bad]", good_bad.collect),
    "llama-index": Format(
        "JSON of the same shape by LlamaIndex, where all relevant_docs are good", llama_index.collect
    ),
    "beir": Format("a folder with corpus.jsonl, queries.jsonl and qrels/*.tsv", beir.collect),
    "pairs": Format("CSV or JSON lines with query and positive", tables.collect_pairs),
    "triplets": Format("CSV or JSON lines with query, positive and negative", tables.collect_triplets),
    "labelled-pairs": Format(
        "CSV or JSON lines with query, passage and a label of 0 or 1", tables.collect_labelled_pairs
    ),
    "flag-embedding": Format("JSON lines by FlagEmbedding, with query, pos and neg", flag_embedding.collect),
    DOCSGPT: Format("JSON lines of DocsGPT's conversation_messages, or its PostgreSQL URL", docsgpt.collect),
    INSTAR: Format(
        "the URL of a running service, the folder `data` of a run from one, or its judgements with --corpus",
        instar.collect,
    ),
    UBI: Format("JSON lines of User Behavior Insights 1.3, queries and events, with --corpus", ubi.collect),
    "langfuse": Format("JSON by Langfuse: traces with observations and scores, or its tables", langfuse.collect),
    "open-webui": Format("JSON by Open WebUI: its feedback, or its chats", open_webui.collect),
}


def load(source: Path | str, name: str, *, skip_bad: bool, corpus: Path | None = None) -> Imported:
    """The data at `source`, which is in the format `name`. `skip_bad` leaves out rows that cannot be used.

    `source` is a file, a folder, or for docsgpt a URL of PostgreSQL. `corpus` has the documents that the ids or sources
    of an export refer to. Raises BadData if a row cannot be used and `skip_bad` is false, if no row can be used, or if
    the format is not named: some formats look alike, so none is guessed.
    """
    if name not in FORMATS:
        known = "\n".join(f"  {key:<15} {form.says}" for key, form in FORMATS.items())
        raise BadData(
            f"{f'{name!r} is no format' if name else 'the format is not named'}: choose one with --format:\n{known}"
            f"{_looks(source, name)}"
        )
    if fetching.is_url(source):
        raise BadData(f"{source} is the URL of a service, which --format {INSTAR} alone reads: choose that, or a file")
    if corpus is not None and name not in _CORPUS_APART:
        apart = f"{', '.join(_CORPUS_APART[:-1])} or {_CORPUS_APART[-1]}"
        raise BadData(f"--corpus goes with --format {apart} alone: leave it out, since {name} has its documents in it")
    collected = Collected()
    if corpus is not None and name != INSTAR:
        beir.collect_corpus(corpus, collected)
    try:
        _collect(source, name, corpus, collected)
        dataset = collected.dataset()
        usable = dataset.judgements or collected.review
        if usable and not skip_bad:
            require_sound(collected.problems)
    except BadData as error:
        raise BadData(f"{error}{_looks(source, name)}") from error
    if not usable:
        raise BadData(_unusable(name, collected.problems, _looks(source, name)))
    return Imported(dataset, collected.problems, collected.review)


def _collect(source: Path | str, name: str, corpus: Path | None, collected: Collected) -> None:
    if name == DOCSGPT and postgres.is_url(source):
        docsgpt.collect(source, collected)
        return
    path = Path(source)
    if name == INSTAR and path.is_file():
        _collect_export(path, corpus, collected)
        return
    if name == INSTAR and corpus is not None:
        raise BadData(f"{path} has its documents in it, or should: leave --corpus out, or give a file of judgements")
    _require_kind(path, name)
    FORMATS[name].collect(path, collected)


def _collect_export(path: Path, corpus: Path | None, collected: Collected) -> None:
    """Read a file of judgements that a service has exported, whose documents are in another one."""
    if corpus is None:
        raise BadData(
            f"{path.name} must be a folder, or come with its documents: add --corpus documents.jsonl, which GET"
            " /admin/export?what=documents of the same service writes"
        )
    if not corpus.is_file():
        raise BadData(f"{corpus} is no file: give the documents as GET /admin/export?what=documents writes them")
    instar.collect_files(path, corpus, collected)


def _unusable(name: str, problems: Sequence[Problem], looks: str) -> str:
    """Why data has no judgement, and what it looks like. Data of another format has the same problem in every row."""
    if problems and looks:
        return f"no row can be used in the format {name}, as {problems[0]}{looks}"
    left_out = f" Left out:\n{listed(problems)}" if problems else ""
    return f"the data has no judgement that can be used: make sure that its format is {name}.{left_out}{looks}"


def _looks(source: Path | str, name: str) -> str:
    """A line that says what the data looks like, if it is a file and not of the format `name`."""
    if "://" in str(source):
        return ""
    others = {other: form.collect for other, form in FORMATS.items() if other != name}
    sentence = recognition.described(Path(source), others)
    return f"\n{sentence}" if sentence else ""


def _require_kind(path: Path, name: str) -> None:
    if not path.exists():
        raise BadData(f"{path} does not exist: give the file or folder of the data")
    folder = name in ("beir", INSTAR)
    if path.is_dir() != folder and name not in _FILE_OR_FOLDER:
        kind = "a folder" if folder else "a file"
        raise BadData(f"{path} must be {kind} in this format: give another path, or another --format")
