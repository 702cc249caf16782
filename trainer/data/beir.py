"""The canonical form, in the layout of BEIR (Thakur et al. 2021), `--format beir`; see `trainer.data.dataset`.

A document with a score above 0 is good. One with 0 or less was judged not relevant, so it is bad. TSV files hold ids
without any escapes, so ids have no tabs and no line breaks.
"""

import errno
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from service.machine import files
from trainer.data.collected import Collected
from trainer.data.dataset import Dataset, Document, Judgement, Split
from trainer.data.lines import decoded, numbered, objects
from trainer.data.problems import Unusable, require_sound, shown, string, text
from trainer.errors import BadData, DiskFull

_CORPUS = "corpus.jsonl"
_QUERIES = "queries.jsonl"
_NEGATIVES = "negatives.tsv"
_WEIGHTS = "weights.tsv"
_OF_WEIGHTS = ("query-id", "corpus-id", "weight", "source")
_SPLITS: Mapping[str, Split] = {
    "train": "train",
    "dev": "dev",
    "validation": "dev",
    "valid": "dev",
    "val": "dev",
    "test": "test",
}
_UNSPLIT = "all"
_WEAK = "weak"


def read(folder: Path) -> Dataset:
    """The data set in `folder`. Raises BadData, which lists the rows that cannot be used."""
    collected = Collected()
    collect(folder, collected)
    require_sound(collected.problems)
    return collected.dataset()


def read_corpus(path: Path) -> dict[str, Document]:
    """The documents of a `corpus.jsonl`, or of a folder that has one. Raises BadData like `read`."""
    collected = Collected()
    collect_corpus(path, collected)
    require_sound(collected.problems)
    return collected.corpus


def collect(folder: Path, collected: Collected) -> None:
    """Read a folder. Raises BadData if a file is missing, or does not hold what its name says."""
    for name in (_CORPUS, _QUERIES, "qrels"):
        if not (folder / name).exists():
            raise BadData(
                f"{folder} has no {name}: a BEIR folder has {_CORPUS}, {_QUERIES} and qrels/*.tsv; add what is missing"
            )
    collect_corpus(folder, collected)
    for location, row in objects(folder / _QUERIES, collected):
        with collected.row(location):
            collected.add_query(identity_of(row), text(row.get("text"), "the text"))
    qrels = {path.stem: path for path in sorted((folder / "qrels").glob("*.tsv"))}
    for unknown in qrels.keys() - {*_SPLITS, _UNSPLIT, _WEAK}:
        raise BadData(f"qrels/{unknown}.tsv is of no known split: name it after one of {', '.join(_SPLITS)}")
    if _UNSPLIT in qrels and qrels.keys() & _SPLITS.keys():
        raise BadData(
            f"qrels/{_UNSPLIT}.tsv is for judgements without a split, but others have one: remove or merge it"
        )
    for name in [*_SPLITS, _UNSPLIT, _WEAK]:
        if name in qrels:
            _collect_qrels(qrels[name], name, collected)
    if (folder / _NEGATIVES).exists():
        _collect_negatives(folder / _NEGATIVES, collected)
    if (folder / _WEIGHTS).exists():
        _collect_weights(folder / _WEIGHTS, collected)


def collect_corpus(path: Path, collected: Collected) -> None:
    """Read the documents of a `corpus.jsonl`, or of a folder that has one. Raises BadData if none can be used."""
    for location, row in objects(path / _CORPUS if path.is_dir() else path, collected):
        with collected.row(location):
            collected.add_document(identity_of(row), document_of(row))
    if not collected.corpus:
        raise BadData(f"{path} has no document that can be used: make each line JSON with `_id` (or `id`) and `text`")


def identity_of(row: Mapping[str, Any]) -> str:
    """The id of a query or document. Raises Unusable."""
    # Services export `id`, as they take it.
    identity = row.get("_id", row.get("id"))
    # Some collections number their texts.
    if isinstance(identity, int) and not isinstance(identity, bool):
        return str(identity)
    return text(identity, "`_id`")


def document_of(row: Mapping[str, Any]) -> Document:
    """The document of a row. Raises Unusable."""
    title = row.get("title")
    return Document(string(row.get("text"), "the text"), "" if title is None else string(title, "the title"))


def require_free(folder: Path) -> None:
    """Raise BadData if the folder holds anything."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadData(f"{folder} is there already: name a new folder, or remove it")


def write(dataset: Dataset, folder: Path) -> None:
    """Write the data set into the new folder `folder`, all or nothing.

    A pair that was judged the same several times is written once, with the highest weight and its source. Raises
    BadData if the folder holds anything or cannot be written, or if an id cannot stand in TSV. Raises DiskFull.
    """
    require_free(folder)
    for identity in {*dataset.queries, *dataset.corpus}:
        if not identity.strip() or any(character in identity for character in "\t\r\n"):
            raise BadData(f"the id {shown(identity)} cannot stand in a TSV file: take out tabs and line breaks")
    target = folder.resolve()
    try:
        with files.folder_beside(target) as incoming:
            (incoming / "qrels").mkdir()
            _write_files(dataset, incoming)
            incoming.replace(target)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DiskFull(f"the disk is full, so {folder} was not written: make room and start again") from error
        raise BadData(f"{folder} cannot be written ({error.strerror}): name another folder") from error


def _collect_qrels(path: Path, name: str, collected: Collected) -> None:
    split = _SPLITS.get(name)
    for location, cells in _cells(path, f"qrels/{path.name}", ("query-id", "corpus-id", "score"), collected):
        with collected.row(location):
            query, document, score = cells
            known = collected.splits.get(query, split)
            if split and known != split:
                raise Unusable(f"query {shown(query)} is in {known} as well, and a query belongs to one split")
            collected.judge(Judgement(query, document, _score(score) > 0, weak=name == _WEAK))
            if split:
                collected.splits[query] = split


def _collect_negatives(path: Path, collected: Collected) -> None:
    for location, (query, document) in _cells(path, path.name, ("query-id", "corpus-id"), collected):
        with collected.row(location):
            if collected.splits and query not in collected.splits:
                raise Unusable(f"query {shown(query)} is in no qrels file, so its split is not known")
            collected.judge(Judgement(query, document, good=False))


def _collect_weights(path: Path, collected: Collected) -> None:
    for location, (query, document, weight, source) in _cells(path, path.name, _OF_WEIGHTS, collected):
        with collected.row(location):
            value = _score(weight)
            if not 0 < value <= 1:
                raise Unusable(f"the weight is {weight}, and must be above 0 and at most 1")
            collected.weigh(query, document, value, source)


def _cells(path: Path, name: str, columns: tuple[str, ...], collected: Collected) -> Iterator[tuple[str, list[str]]]:
    """(location, cells) of every row that has all columns. Raises BadData if the header is not `columns`."""
    lines = numbered(path, name)
    header = next(lines, ("", b""))[1].decode(errors="replace").split("\t")
    if tuple(header[: len(columns)]) != columns:
        raise BadData(f"{name}:1 must be the header `{' '.join(columns)}`, with tabs between: add it")
    for location, line in lines:
        if not line.strip():
            continue
        cells: list[str] = []
        with collected.row(location):
            cells = decoded(line).split("\t")
            if len(cells) != len(header):
                raise Unusable(f"has {len(cells)} cells where the header has {len(header)}")
        if len(cells) == len(header):
            yield location, cells[: len(columns)]


def _score(cell: str) -> float:
    try:
        score = float(cell)
    except ValueError as error:
        raise Unusable(f"the score is {shown(cell)}, which is not a number") from error
    if math.isnan(score):
        raise Unusable("the score is not a number")
    return score


def _write_files(dataset: Dataset, folder: Path) -> None:
    with (folder / _CORPUS).open("wb") as file:
        for identity, document in dataset.corpus.items():
            row = {"_id": identity, "title": document.title, "text": document.text}
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    with (folder / _QUERIES).open("wb") as file:
        for identity, query in dataset.queries.items():
            file.write(orjson.dumps({"_id": identity, "text": query}, option=orjson.OPT_APPEND_NEWLINE))
    good = dataset.good()
    rows: dict[str, list[str]] = {}
    for judgement in dataset.judgements:
        pair = f"{judgement.query}\t{judgement.document}"
        split = dataset.splits.get(judgement.query, _UNSPLIT)
        if judgement.weak:
            rows.setdefault(f"qrels/{_WEAK}.tsv", []).append(f"{pair}\t{int(judgement.good)}")
        # negatives.tsv has no splits: a query that has only bad documents would lose its split there.
        elif judgement.good or judgement.query not in good:
            rows.setdefault(f"qrels/{split}.tsv", []).append(f"{pair}\t{int(judgement.good)}")
        else:
            rows.setdefault(_NEGATIVES, []).append(pair)
    heaviest: dict[tuple[str, str], Judgement] = {}
    for one in dataset.judgements:
        known = heaviest.setdefault((one.query, one.document), one)
        if one.weight > known.weight:
            heaviest[one.query, one.document] = one
    weighted = [one for one in heaviest.values() if (one.weight, one.source) != (1.0, "")]
    if weighted:
        lines = [f"{one.query}\t{one.document}\t{one.weight!r}\t{one.source}" for one in weighted]
        text = "\n".join(["\t".join(_OF_WEIGHTS), *lines]) + "\n"
        (folder / _WEIGHTS).write_text(text, encoding="utf-8", newline="\n")
    for name, lines in rows.items():
        header = "query-id\tcorpus-id" if name == _NEGATIVES else "query-id\tcorpus-id\tscore"
        (folder / name).write_text("\n".join([header, *dict.fromkeys(lines)]) + "\n", encoding="utf-8", newline="\n")
