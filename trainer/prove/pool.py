"""A pool: the passages by which two models differ and that nobody has judged, for a person to judge blind.

A passage that nobody has judged counts as not good. So judgements of what one model finds favour that model, and a
better one looks worse than it is. Pooling (Spärck Jones and van Rijsbergen 1975) judges what either finds. Passages
that both find change little in a comparison, so they are left out.
"""

import csv
import io
import random
from collections.abc import Sequence
from pathlib import Path

from service.machine import files, spreadsheet
from trainer.data.dataset import Dataset
from trainer.data.texts import normalised
from trainer.prove.rankings import Rankings

Pair = tuple[str, str]

COLUMNS = ("query", "document", "good", "passage")


def unjudged(
    before: Rankings, after: Rankings, dataset: Dataset, queries: Sequence[str], *, depth: int, seed: int
) -> list[Pair]:
    """Pairs of a query and a document that one model alone ranks within `depth`, without those that were judged.

    Queries by which the models differ most come first. The order of a query's documents says nothing of the models.
    Queries of equal texts are asked as one, because a verdict is on the text and counts for all of them.
    """
    good, bad = dataset.good(), dataset.bad()
    pick = random.Random(seed)  # noqa: S311  (it has to repeat)
    by_query = {}
    for query in pick.sample(sorted(queries), len(queries)):
        differing = set(before.top[query][:depth]) ^ set(after.top[query][:depth])
        left = sorted(differing - good.get(query, set()) - bad.get(query, set()))
        by_query[query] = pick.sample(left, len(left))
    most = sorted(by_query, key=lambda query: -len(by_query[query]))
    asked: dict[Pair, Pair] = {}
    for query in most:
        for document in by_query[query]:
            asked.setdefault((normalised(dataset.queries[query]), document), (query, document))
    return list(asked.values())


def write(pairs: Sequence[Pair], dataset: Dataset, path: Path) -> None:
    """Write a CSV file with an empty column `good`, to be filled in. `trainer.data.later` reads it again."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for query, document in pairs:
        cells = dataset.queries[query], document, "", dataset.corpus[document].passage
        rows.writerow(map(spreadsheet.harmless, cells))
    # Excel takes a file without this mark for one in another encoding.
    files.replace_file(path, "\ufeff" + text.getvalue())
