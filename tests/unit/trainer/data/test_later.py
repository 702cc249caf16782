"""Judgements that were made later than the data: rows of query, document and good."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import judged
from trainer.commands.data import Mine
from trainer.data import beir, inspection, later
from trainer.data.dataset import Dataset, Document, Judgement
from trainer.errors import BadData
from trainer.prepare import splits

DATA = judged.dataset()


def added(folder: Path, text: str, name: str = "pool.csv", data: Dataset = DATA) -> tuple[Dataset, list[str]]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    dataset, problems = later.added(data, path, skip_bad=False)
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


def test_what_was_guessed_from_a_click_counts_in_full_once_a_person_says_it(tmp_path: Path) -> None:
    clicked = replace(DATA.judgements[0], weight=0.3, source="click")
    data = replace(DATA, judgements=(clicked, *DATA.judgements[1:]))
    row = f"{clicked.query},{clicked.document},{int(clicked.good)}\n"
    dataset, _ = added(tmp_path, f"{HEAD}{row}{row}", data=data)
    assert sorted(map(repr, dataset.judgements)) == sorted(map(repr, DATA.judgements))
    beir.write(dataset, tmp_path / "merged")
    assert beir.read(tmp_path / "merged").digest == DATA.digest


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


HEAD = "query,document,good\n"


@pytest.mark.parametrize("query", ["q0", DATA.queries["q0"].upper()])
def test_the_later_word_counts_and_the_changes_are_told(tmp_path: Path, query: str) -> None:
    dataset, problems = added(tmp_path, f"{HEAD}{query},good0,0\n{query},bad0,1\n{query},good1,0\n")
    assert problems == ["pool.csv: 2 judgements of the data are replaced, because this file says otherwise"]
    kept = inspection.cleaned(dataset)
    assert kept.good()["q0"] == {"bad0"}
    assert kept.bad()["q0"] == {"good0", "good1"}
    assert inspection.inspect(dataset).contradictions == ()


def test_the_later_word_counts_of_all_copies_of_a_text_and_before_weak_ones(tmp_path: Path) -> None:
    twins = {"twin": DATA.corpus["good0"], "other": Document("Another text.")}
    weak = Judgement("q0", "other", good=True, weak=True)
    data = replace(DATA, corpus={**DATA.corpus, **twins}, judgements=(*DATA.judgements, weak))
    dataset, problems = added(tmp_path, f"{HEAD}q0,twin,0\nq0,other,0\n", data=inspection.cleaned(data))
    assert problems == ["pool.csv: 1 judgements of the data are replaced, because this file says otherwise"]
    kept = inspection.cleaned(dataset)
    assert "q0" not in kept.good("train")
    assert kept.bad()["q0"] == {"bad0", "twin", "other"}


def test_a_file_settles_what_the_data_contradicts_and_nothing_that_it_contradicts_itself(tmp_path: Path) -> None:
    data = replace(DATA, judgements=(*DATA.judgements, Judgement("q0", "good0", good=False)))
    assert "q0" not in inspection.cleaned(data).good()
    dataset, _ = added(tmp_path, f"{HEAD}q0,good0,1\nq1,good1,0\nq1,good1,1\n", data=data)
    assert inspection.cleaned(dataset).good()["q0"] == {"good0"}
    _, problems = added(tmp_path, f"{HEAD}q1,good1,0\nq1,good1,1\n", data=data)
    assert problems == ["pool.csv: 1 passages are good and bad in this file, and count as neither: settle them"]


# Nobody has judged q2, q4 and q5, whose good documents are those of a training and of a test question.
ASKED = replace(
    DATA,
    judgements=tuple(one for one in DATA.judgements if one.query not in ("q2", "q4", "q5")),
    splits={query: split for query, split in DATA.splits.items() if query not in ("q2", "q4", "q5")},
)
SINCE = f"{HEAD}q2,good2,1\nq4,good0,1\nq4,bad11,0\nq5,good11,1\n"
TOLD = [
    "pool.csv: 2 questions without a split were judged: they train, and test nothing",
    "pool.csv: 1 questions without a split share their words or a good document with dev or test, and are left out",
]


@pytest.mark.parametrize("present", [("train", "dev", "test"), ("train", "test")])
def test_questions_without_a_split_train_unless_that_would_give_away_a_test(
    tmp_path: Path, present: tuple[str, ...]
) -> None:
    data = ASKED.with_splits({query: split for query, split in ASKED.splits.items() if split in present})
    data = replace(data, judgements=tuple(one for one in data.judgements if one.query in data.splits))
    dataset, problems = added(tmp_path, SINCE, data=data)
    assert problems == TOLD
    assert dataset.splits == {**data.splits, "q2": "train", "q4": "train"}
    divided, _ = splits.split(inspection.cleaned(dataset), "auto", 13)
    assert divided.good("test") == data.good("test")
    assert {"q2", "q4"} <= divided.good("train").keys() | divided.good("dev").keys()
    assert "q5" not in divided.good()
    beir.write(dataset, tmp_path / "merged")
    assert beir.read(tmp_path / "merged").digest == dataset.digest


def test_questions_of_data_without_splits_are_divided_as_all_are(tmp_path: Path) -> None:
    dataset, problems = added(tmp_path, SINCE, data=ASKED.with_splits({}))
    assert not problems
    assert dataset.good()["q5"] == {"good11"}
    assert not dataset.splits


def test_a_command_that_has_divided_the_questions_before_tells_it_and_says_it_in_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    beir.write(ASKED, tmp_path / "data")
    (tmp_path / "pool.csv").write_text(f"{SINCE}q0,good0,0\n", encoding="utf-8")
    command = Mine(format="beir", judged=tmp_path / "pool.csv", data="data", out=tmp_path / "mined.jsonl")
    dataset, how = command.divided(str(tmp_path / "data"))
    assert dataset.bad()["q0"] == {"good0", "bad0"}
    told = ["pool.csv: 1 judgements of the data are replaced, because this file says otherwise", *TOLD]
    assert how.endswith("; ".join(["", *told]))
    assert capsys.readouterr().err.splitlines() == [f"  {sentence}" for sentence in told]
    imported = command.load(str(tmp_path / "data"))
    assert capsys.readouterr().err.splitlines() == [f"  {sentence}" for sentence in told]
    assert [str(problem) for problem in imported.problems] == told
