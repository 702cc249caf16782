"""The sample corpus shows what a model has forgotten, unless the model was trained on it."""

from dataclasses import replace
from pathlib import Path

import pytest

from service import sample
from trainer.commands.command import Answer
from trainer.commands.flag_groups import Remembering
from trainer.data import beir
from trainer.data.dataset import Dataset, Document, Judgement
from trainer.errors import BadData

SAMPLE = sample.load()


class Remembers(Remembering):
    def answer(self) -> Answer:
        raise NotImplementedError


def data(question: str, documents: dict[str, str]) -> Dataset:
    corpus = {identity: Document(text) for identity, text in documents.items()}
    return Dataset({"q": question}, corpus, (Judgement("q", next(iter(documents)), True),))


def test_other_data_is_held_against_the_sample_corpus() -> None:
    general = Remembers().general_set(data("Where is my parcel?", {"d": "It is in the post."}))
    assert general is not None
    assert general.corpus.keys() == SAMPLE["corpus"].keys()


@pytest.mark.parametrize(
    "dataset",
    [
        # The documents have other ids, as after `instar load`.
        data(f"  {SAMPLE['queries']['q32'].upper()}", {"brindle/c56.md": "The Tithe vane …"}),
        data("Where is my parcel?", SAMPLE["corpus"]),
    ],
    ids=["a question of it", "its documents"],
)
def test_data_with_a_part_of_the_sample_corpus_is_not(dataset: Dataset) -> None:
    assert Remembers().general_set(dataset) is None


def test_a_set_without_a_question_that_a_person_judged_is_refused(tmp_path: Path) -> None:
    asked = data("Where is my parcel?", {"d": "It is in the post."})
    beir.write(replace(asked, judgements=(Judgement("q", "d", True, weak=True),)), tmp_path / "weak")
    with pytest.raises(BadData, match=r"no question has a document that a person judged good.*leave it out"):
        Remembers(general=tmp_path / "weak").general_set(asked)
    beir.write(asked, tmp_path / "judged")
    general = Remembers(general=tmp_path / "judged").general_set(asked)
    assert general is not None
    assert general.held_out == {"q": {"d"}}
