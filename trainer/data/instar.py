"""Judgements and documents of a service, `--format instar`, in a folder of `trainer.data.fetching` or in two files.

Generated judgements are weak: no person made them, and nothing did with what they say. Documents of several collections
get the names of these before their ids.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.data import beir
from trainer.data.collected import Collected
from trainer.data.dataset import Document, Judgement
from trainer.data.fetching import DOCUMENTS, JUDGEMENTS
from trainer.data.lines import objects
from trainer.data.problems import Unusable, shown, string, text
from trainer.errors import BadData

# The corpus of BEIR names no collection: its documents are of the one that is judged.
_UNNAMED = ""


def collect(folder: Path, collected: Collected) -> None:
    """Read a folder. Raises BadData if a file is missing."""
    for name in (DOCUMENTS, JUDGEMENTS):
        if not (folder / name).exists():
            raise BadData(f"{folder} has no {name}: give the folder `data` of a run, or the URL of a service")
    collect_files(folder / JUDGEMENTS, folder / DOCUMENTS, collected)


def collect_files(judgements: Path, documents: Path, collected: Collected) -> None:
    """Read what `GET /admin/export` writes: judgements, and the documents as NDJSON or as the corpus of BEIR.

    Raises BadData if documents without a collection are judged in several.
    """
    by_pair = _documents(documents, collected)
    several = len({collection for collection, _ in by_pair}) > 1

    def name(pair: tuple[str, str]) -> str:
        return "/".join(pair) if several and pair[0] else pair[1]

    collected.corpus.update({name(pair): document for pair, document in by_pair.items()})
    unnamed = set[str]()
    for location, row in objects(judgements, collected):
        with collected.row(location):
            pair = string(row.get("collection"), "the collection"), text(row.get("document"), "the document")
            if pair not in by_pair and (_UNNAMED, pair[1]) in by_pair:
                unnamed.add(pair[0])
                pair = _UNNAMED, pair[1]
            if pair not in by_pair:
                collected.note(location, f"the document {shown(pair[1])} was not there when it was fetched")
            elif row.get("stale") is True:
                collected.note(location, f"the document {shown(pair[1])} has had another text since it was judged")
            else:
                _judge(row, name(pair), collected)
    if len(unnamed) > 1:
        raise BadData(
            f"{documents.name} names no collections, and its documents are judged in {', '.join(sorted(unnamed))}:"
            " export the judgements of one by collection=NAME, or the documents of all without format=beir"
        )


def _documents(path: Path, collected: Collected) -> dict[tuple[str, str], Document]:
    """The documents by collection and id."""
    documents: dict[tuple[str, str], Document] = {}
    for location, row in objects(path, collected):
        with collected.row(location):
            document = beir.document_of(row)
            text(document.passage, "the text")
            # A document that was written again while it was fetched comes twice, at last as it is now.
            collection = string(row.get("collection", _UNNAMED), "the collection")
            documents[collection, beir.identity_of(row)] = document
    return documents


def _judge(row: Mapping[str, Any], document: str, collected: Collected) -> None:
    if row.get("side") != "train":
        raise Unusable(f"is of the side {shown(row.get('side'))}, and nothing but train may be trained on")
    good, weight, source = row.get("good"), row.get("weight"), text(row.get("source"), "the source")
    if not isinstance(good, bool):
        raise Unusable(f"good is {shown(good)}, which is neither true nor false")
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= 1:
        raise Unusable(f"the weight is {shown(weight)}, and must be above 0 and at most 1")
    query = collected.query(text(row.get("query"), "the query"))
    # A query of several collections is shown in the first.
    collected.collections.setdefault(query, row["collection"])
    judgement = Judgement(query, document, good, weak=source == "generated", weight=float(weight), source=source)
    if not collected.knows(judgement):
        collected.judge(judgement)
