"""Weak pairs are made of the corpus alone, the same each time, and those that ask for nothing can be left out."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from service import sample
from tests.support.checkpoints import tiny_model
from trainer.data.dataset import Dataset, Document, Judgement
from trainer.prepare import weak_labels

MANUAL = {
    "orders": Document(
        "# Split an order\nAn order goes out in parts.\n\n## Join two orders #\nOr in one.", "About orders"
    ),
    "stock": Document(
        "Every piece has a place in the store, and every place has a name of its own.\n#hashtag", "Overview"
    ),
    "old": Document("# Split  an Order\nThis was so before.", "Old pages"),
    "older": Document("Nothing.", "Old pages"),
}


def asked(dataset: Dataset) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for judgement in dataset.judgements:
        found.setdefault(dataset.queries[judgement.query], set()).add(judgement.document)
    return found


def test_titles_and_headings_ask_for_their_document_unless_another_has_the_same() -> None:
    found = asked(weak_labels.generate(MANUAL, 1))
    assert found["About orders"] == found["Join two orders"] == {"orders"}
    assert not {"Old pages", "Split an order", "Split  an Order", "Overview", "hashtag"} & found.keys()


def test_everything_is_weak_and_nothing_else_changes() -> None:
    dataset = weak_labels.generate(MANUAL, 1)
    assert dataset.judgements
    assert all(judgement.weak and judgement.good for judgement in dataset.judgements)
    assert dataset.corpus == MANUAL
    assert dataset.splits == {}
    assert dataset.good() == dataset.good("dev") == dataset.good("test") == {}


def test_each_passage_of_the_sample_gives_a_crop_of_its_own_words() -> None:
    corpus = {key: Document(text) for key, text in sample.load()["corpus"].items()}
    dataset = weak_labels.generate(corpus, 1)
    assert {judgement.document for judgement in dataset.judgements} == corpus.keys()
    for judgement in dataset.judgements:
        crop, text = dataset.queries[judgement.query], " ".join(corpus[judgement.document].text.split())
        assert crop in text
        assert 4 <= len(crop.split()) <= min(32, len(text.split()) / 2)


@given(st.integers(0, 99), st.permutations(sorted(MANUAL)))
def test_the_same_seed_makes_the_same_pairs_whatever_the_order(seed: int, order: list[str]) -> None:
    assert (
        weak_labels.generate({key: MANUAL[key] for key in order}, seed).digest
        == weak_labels.generate(MANUAL, seed).digest
    )


def test_another_seed_crops_elsewhere() -> None:
    corpus = {key: Document(text) for key, text in sample.load()["corpus"].items()}
    assert weak_labels.generate(corpus, 1).queries != weak_labels.generate(corpus, 2).queries


def test_a_pair_stays_if_the_model_finds_its_document(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "parts")
    corpus = {f"d{n}": Document(text) for n, text in enumerate(["kettle lid", "bicycle tyre", "violin bow", "museum"])}
    # A text is nearest to itself, and with four documents one of the others is last.
    queries = {"same": "kettle lid", "far": "kettle lid "}
    order = model.similarity(
        model.encode_query(["kettle lid"]), model.encode_document([d.text for d in corpus.values()])
    )
    last = f"d{int(order.argmin())}"
    person = Judgement("same", last, good=True)
    right, wrong = Judgement("same", "d0", True, weak=True), Judgement("far", last, True, weak=True)
    dataset = Dataset(queries, corpus, (right, wrong, person), {"same": "train"})
    kept = weak_labels.consistent(model, dataset, 1)
    assert kept.judgements == (right, person)
    assert kept.queries == {"same": "kettle lid"}
    assert kept.corpus == corpus
    assert weak_labels.consistent(model, dataset, 4) == dataset
