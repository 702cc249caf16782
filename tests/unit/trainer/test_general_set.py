"""The sample corpus shows what a model has forgotten, unless the model was trained on it."""

import pytest

from service import sample
from trainer.commands.command import Answer
from trainer.commands.flag_groups import Remembering
from trainer.data.dataset import Dataset, Document, Judgement

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
