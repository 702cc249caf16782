"""Judgements that were made later than the data, of its queries and documents: CSV or JSON lines.

A row has `query` (its text, or its id), `document` (its id) and `good`, which is empty while nobody has judged it. The
console exports and imports the same columns. The later word counts if the data says otherwise of the same texts.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from service.machine import spreadsheet
from trainer.data import tables
from trainer.data.collected import Collected
from trainer.data.dataset import SPLITS, Dataset, Judgement
from trainer.data.problems import Problem, Unusable, require_sound, shown, text
from trainer.data.texts import asked, normalised

_GOOD = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def added(dataset: Dataset, path: Path, *, skip_bad: bool) -> tuple[Dataset, list[Problem]]:
    """The data set with the judgements of `path`, and the problems of its rows. Rows without a verdict are one note.

    Every query keeps its split, and one without a split trains. Notes say what that changes. Raises BadData if a row
    cannot be used and `skip_bad` is false.
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
            judgements = [Judgement(identity, document, good) for identity in queries]
            # Several people may have said the same.
            collected.judge(*(judgement for judgement in judgements if not collected.knows(judgement)))
    if waiting:
        collected.note(path.name, f"{waiting} passages have no verdict in the column good yet")
    if not skip_bad:
        require_sound(collected.problems)
    later = collected.dataset().judgements
    dataset = _placed(_corrected(dataset, later, path.name, collected), later, path.name, collected)
    return dataset, collected.problems


def _corrected(dataset: Dataset, later: Sequence[Judgement], name: str, collected: Collected) -> Dataset:
    """The data with the judgements of `later`, and without a person's that say otherwise of the same texts."""

    def texts(judgement: Judgement) -> tuple[str, str]:
        passage = dataset.corpus[judgement.document].passage
        return normalised(dataset.queries[judgement.query]), normalised(passage)

    verdicts = defaultdict[tuple[str, str], set[bool]](set)
    for judgement in later:
        verdicts[texts(judgement)].add(judgement.good)
    kept, replaced = [], set[tuple[str, str]]()
    for judgement in dataset.judgements:
        # A file that contradicts itself settles nothing.
        if not judgement.weak and verdicts.get(texts(judgement)) == {not judgement.good}:
            replaced.add(texts(judgement))
        else:
            kept.append(judgement)
    if replaced:
        collected.note(name, f"{len(replaced)} judgements of the data are replaced, because this file says otherwise")
    if disputed := sum(len(each) > 1 for each in verdicts.values()):
        collected.note(name, f"{disputed} passages are good and bad in this file, and count as neither: settle them")
    # A word of full weight is not said twice, and it takes the place of one that was guessed from a click.
    said = {_key(judgement) for judgement in kept if not judgement.weak and judgement.weight == 1}
    told = [judgement for judgement in later if _key(judgement) not in said]
    again = set(map(_key, told))
    kept = [judgement for judgement in kept if judgement.weak or _key(judgement) not in again]
    return replace(dataset, judgements=(*kept, *told))


def _key(judgement: Judgement) -> tuple[str, str, bool]:
    return judgement.query, judgement.document, judgement.good


def _placed(dataset: Dataset, later: Sequence[Judgement], name: str, collected: Collected) -> Dataset:
    """The data with each query of `later` in a split, if it has splits. Otherwise they are made of all judgements.

    A query without a split trains. One that shares its text or a good document with dev or test must not be trained on,
    and the test queries stay as they are, so it is left out.
    """
    unplaced = dict.fromkeys(judgement.query for judgement in later if judgement.query not in dataset.splits)
    if not dataset.splits or not unplaced:
        return dataset
    left_out = _shared_with_tests(dataset, unplaced)
    training = [query for query in unplaced if query not in left_out]
    if training:
        collected.note(name, f"{len(training)} questions without a split were judged: they train, and test nothing")
    if left_out:
        reason = "share their words or a good document with dev or test, and are left out"
        collected.note(name, f"{len(left_out)} questions without a split {reason}")
    judgements = tuple(judgement for judgement in dataset.judgements if judgement.query not in left_out)
    return replace(dataset, judgements=judgements, splits={**dataset.splits, **dict.fromkeys(training, SPLITS[0])})


def _shared_with_tests(dataset: Dataset, queries: Collection[str]) -> set[str]:
    """The `queries` whose words, or the text of a good document of which, are known from dev or test."""

    def passages(documents: Collection[str]) -> set[str]:
        return set(map(normalised, dataset.passages(documents)))

    held_out = [query for query, split in dataset.splits.items() if split != "train"]
    good = dataset.good()
    words = {asked(dataset.queries[query]) for query in held_out}
    answers = set[str]().union(*(passages(good.get(query, ())) for query in held_out))
    return {
        query for query in queries if asked(dataset.queries[query]) in words or passages(good.get(query, ())) & answers
    }


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
