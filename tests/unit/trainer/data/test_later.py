"""Judgements that were made later than the data: rows of query, document and good."""

from pathlib import Path

import pytest

from tests.support import judged
from trainer.data import later
from trainer.data.dataset import Dataset, Judgement
from trainer.errors import BadData

DATA = judged.dataset()


def added(folder: Path, text: str, name: str = "pool.csv") -> tuple[Dataset, list[str]]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    dataset, problems = later.added(DATA, path, skip_bad=False)
    return dataset, [str(problem) for problem in problems]


@pytest.mark.parametrize(
    "text",
    [
        "query,document,good\nq0,good1,1\nq0,bad1,no\n",
        "\ufeffQuery;Document;Good;passage\nq0;good1;TRUE;Everything\nq0;bad1;0;'-5 degrees\n",
        f"query,document,good\n{DATA.queries['q0'].upper()},good1,yes\n{DATA.queries['q0']},bad1,false\n",
    ],
)
def test_they_are_added_whatever_the_spelling(tmp_path: Path, text: str) -> None:
    dataset, problems = added(tmp_path, text)
    assert not problems
    assert dataset.judgements[len(DATA.judgements) :] == (
        Judgement("q0", "good1", good=True),
        Judgement("q0", "bad1", good=False),
    )
    assert dataset.splits == DATA.splits


def test_json_lines_will_do(tmp_path: Path) -> None:
    lines = '{"query": "q0", "document": "good1", "good": true}\n{"query": "q0", "document": "bad1", "good": null}\n'
    dataset, problems = added(tmp_path, lines, "pool.jsonl")
    assert dataset.judgements[-1] == Judgement("q0", "good1", good=True)
    assert problems == ["pool.jsonl: 1 passages have no verdict in the column good yet"]


def test_what_nobody_has_judged_yet_is_counted_and_left(tmp_path: Path) -> None:
    dataset, problems = added(tmp_path, "query,document,good\nq0,good1,\nq0,good2, \nq0,good3,1\n")
    assert len(dataset.judgements) == len(DATA.judgements) + 1
    assert problems == ["pool.csv: 2 passages have no verdict in the column good yet"]


def test_what_was_judged_before_is_not_there_twice(tmp_path: Path) -> None:
    dataset, _ = added(tmp_path, "query,document,good\nq0,good0,1\n")
    assert dataset.judgements == DATA.judgements


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("q0,good1,perhaps", "write 1 or 0"),
        ("q0,nowhere,1", "no document has the id 'nowhere'"),
        ("never asked,good1,1", "the data has no query 'never asked'"),
    ],
)
def test_rows_that_lead_nowhere_are_named(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(BadData, match=said):
        added(tmp_path, f"query,document,good\n{row}\n")
    dataset, problems = later.added(DATA, tmp_path / "pool.csv", skip_bad=True)
    assert dataset == DATA
    assert len(problems) == 1


def test_a_file_without_verdicts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="name the columns query, document and good"):
        added(tmp_path, "query,document\nq0,good1\n")
