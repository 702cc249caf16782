"""The questions that a comparison asks, and the data as a run had it."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import judged
from trainer.commands.proof import Evaluate
from trainer.commands.run import Run
from trainer.data import beir, inspection
from trainer.data.dataset import Dataset, Judgement
from trainer.errors import BadData

DATA = judged.dataset()


def asking(folder: Path, data: Dataset, judgements: str = "", **flags: object) -> Evaluate:
    beir.write(data, folder / "data")
    if judgements:
        (folder / "pool.csv").write_text(f"query,document,good\n{judgements}", encoding="utf-8")
        flags["judged"] = folder / "pool.csv"
    return Evaluate.model_validate({"format": "beir", "model": "m", "data": str(folder / "data"), **flags})


def test_all_questions_are_asked_where_no_split_is_possible(tmp_path: Path) -> None:
    on_one = replace(DATA, judgements=tuple(Judgement(query, "good0", good=True) for query in DATA.queries), splits={})
    command = asking(tmp_path, on_one, questions="all")
    assert command.asked(command.data).dataset.good("test").keys() == on_one.queries.keys()
    test_alone = command.model_copy(update={"questions": "test"})
    with pytest.raises(BadData, match="use --split by-query"):
        test_alone.asked(command.data)


def test_all_questions_are_asked_that_later_judgements_add_to_divided_data(tmp_path: Path) -> None:
    """Beside a split, those of them would train, or be left out."""
    few = replace(DATA, judgements=tuple(each for each in DATA.judgements if each.query not in ("q5", "q6")))
    few = replace(few, splits={query: split for query, split in few.splits.items() if query not in ("q5", "q6")})
    command = asking(tmp_path, few, "q5,good11,1\nq6,good1,1\n", questions="all")
    asked = command.asked(command.data)
    assert asked.dataset.good("test").keys() == DATA.good().keys()
    assert not asked.notes


def test_data_without_a_good_document_has_nothing_to_ask(tmp_path: Path) -> None:
    bad = replace(DATA, judgements=tuple(each for each in DATA.judgements if not each.good), splits={})
    command = asking(tmp_path, bad, questions="all")
    with pytest.raises(BadData, match="nothing to ask: judge some questions by hand"):
        command.asked(command.data)


def test_the_data_of_a_run_is_read_as_the_run_did(tmp_path: Path) -> None:
    """A question whose contradictions are settled later keeps its split, which it loses if it is cleaned before."""
    few = judged.dataset(bad=False)
    disputed = replace(few, judgements=(*few.judgements, Judgement("q5", "good5", good=False)))
    command = asking(tmp_path, disputed, "q5,good5,1\n")
    run = Run.model_validate({"format": "beir", "data": command.data, "judged": command.judged})
    of_run = inspection.cleaned(run.load(run.data).dataset)
    without = inspection.cleaned(run.model_copy(update={"judged": None}).load(run.data).dataset)
    read = command.read_by_run(command.asked(command.data).whole)
    assert [data.digest for data in read] == [without.digest, of_run.digest]
