"""Judgements that were made later than the data, of its queries and documents: CSV or JSON lines.

A row has `query` (its text, or its id), `document` (its id) and `good`, which is empty while nobody has judged it. The
console exports and imports the same columns.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from service.machine import spreadsheet
from trainer.data import tables
from trainer.data.collected import Collected
from trainer.data.dataset import Dataset, Judgement
from trainer.data.problems import Problem, Unusable, require_sound, shown, text
from trainer.data.texts import normalised

_GOOD = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def added(dataset: Dataset, path: Path, *, skip_bad: bool) -> tuple[Dataset, list[Problem]]:
    """The data set with the judgements of `path`, and the problems of its rows. Rows without a verdict are one note.

    Every query keeps its split. Raises BadData if a row cannot be used and `skip_bad` is false.
    """
    collected = Collected()
    collected.queries.update(dataset.queries)
    collected.corpus.update(dataset.corpus)
    by_text: dict[str, list[str]] = {}
    for identity, query in dataset.queries.items():
        by_text.setdefault(normalised(query), []).append(identity)
    waiting = 0
    for location, row in tables.rows(path, collected):
        with collected.row(location):
            good = _verdict(row)
            if good is None:
                waiting += 1
                continue
            query = text(row.get("query"), "the query")
            queries = [query] if query in dataset.queries else by_text.get(normalised(query), [])
            queries = queries or by_text.get(normalised(spreadsheet.plain(query)), [])
            if not queries:
                raise Unusable(f"the data has no query {shown(query)}")
            document = text(row.get("document"), "the document")
            document = document if document in dataset.corpus else spreadsheet.plain(document)
            collected.judge(*(Judgement(identity, document, good) for identity in queries))
    if waiting:
        collected.note(path.name, f"{waiting} passages have no verdict in the column good yet")
    if not skip_bad:
        require_sound(collected.problems)
    known = set(dataset.judgements)
    later = (judgement for judgement in collected.dataset().judgements if judgement not in known)
    return replace(dataset, judgements=(*dataset.judgements, *later)), collected.problems


def _verdict(row: Mapping[str, Any]) -> bool | None:
    """The verdict of a row; None if its cell is empty."""
    if "good" not in row:
        raise Unusable("has no good: name the columns query, document and good")
    cell = row["good"]
    word = str(cell).strip().lower()
    if cell is None or not word:
        return None
    if word not in _GOOD:
        raise Unusable(f"the verdict is {shown(str(cell))}: write 1 or 0, yes or no, true or false")
    return _GOOD[word]
