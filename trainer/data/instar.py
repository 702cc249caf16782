"""Judgements and documents of a running service, `--format instar`, in a folder of `trainer.data.fetching`.

Generated judgements are weak: no person made them, and nothing did with what they say. Documents of several collections
get the names of these before their ids.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.data.collected import Collected
from trainer.data.dataset import Document, Judgement
from trainer.data.fetching import DOCUMENTS, JUDGEMENTS
from trainer.data.lines import objects
from trainer.data.problems import Unusable, shown, string, text
from trainer.errors import BadData


def collect(folder: Path, collected: Collected) -> None:
    """Read a folder. Raises BadData if a file is missing."""
    for name in (DOCUMENTS, JUDGEMENTS):
        if not (folder / name).exists():
            raise BadData(f"{folder} has no {name}: give the folder `data` of a run, or the URL of a service")
    documents: dict[tuple[str, str], str] = {}
    for location, row in objects(folder / DOCUMENTS, collected):
        with collected.row(location):
            # A document that was written again while it was fetched comes twice, at last as it is now.
            documents[string(row.get("collection"), "the collection"), text(row.get("id"), "the id")] = text(
                row.get("text"), "the text"
            )
    several = len({collection for collection, _ in documents}) > 1
    for (collection, identity), passage in documents.items():
        collected.corpus[f"{collection}/{identity}" if several else identity] = Document(passage)
    for location, row in objects(folder / JUDGEMENTS, collected):
        with collected.row(location):
            pair = string(row.get("collection"), "the collection"), text(row.get("document"), "the document")
            if pair not in documents:
                collected.note(location, f"the document {shown(pair[1])} was not there when it was fetched")
                continue
            _judge(row, f"{pair[0]}/{pair[1]}" if several else pair[1], collected)


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
