"""Records of generations and jobs, and notes."""

from datetime import UTC, datetime, timedelta

from service.corpus.balance import Balance
from service.corpus.base import CorpusStore
from tests.contract.store.stores import record


def states(store: CorpusStore) -> list[tuple[int, str]]:
    return [(each.number, each.state) for each in store.records.generations()]


def test_generations_are_numbered_retained_and_released(store: CorpusStore) -> None:
    records = store.records
    assert (records.generations(), records.next_number()) == ([], 1)
    first = records.activate(record("a"), retain=1)
    assert (first.number, first.state, first.activation) == (1, "active", 1)
    assert first.activated is not None
    assert records.next_number() == 2
    for model in ("b", "c"):
        records.activate(record(model), retain=1)
    assert states(store) == [(3, "active"), (2, "retained"), (1, "released")]
    records.activate(records.generations()[1], retain=2)
    assert states(store) == [(2, "active"), (3, "retained"), (1, "released")]
    assert [each.activation for each in records.generations()] == [4, 3, 1]
    records.activate(first, retain=1)
    assert states(store) == [(1, "active"), (2, "retained"), (3, "released")]
    assert records.next_number() == 4
    records.activate(record("d"), retain=0)
    assert [state for _, state in states(store)] == ["active", "released", "released", "released"]


def test_a_record_comes_back_as_it_was_activated(store: CorpusStore) -> None:
    written = record("a").model_copy(
        update={"documents": 7, "recall": {"c": 0.5}, "warnings": ["one"], "activated_by": "k"}
    )
    assert store.records.activate(written, retain=1) == store.records.generations()[0]
    (stored,) = store.records.generations()
    kept = ("model", "documents", "recall", "warnings", "activated_by", "built")
    assert {name: getattr(stored, name) for name in kept} == {name: getattr(written, name) for name in kept}


def test_weights_are_replaced_and_stay_with_their_generation(store: CorpusStore) -> None:
    half, third = Balance.of(0.5, "default"), Balance.of(1 / 3, "estimated", 100)
    store.records.activate(record("a").model_copy(update={"weights": {"c": half, "d": half}}), retain=1)
    store.records.activate(record("b"), retain=1)
    store.records.save_weights(2, {"c": third})
    store.records.save_weights(9, {"c": third})
    assert [each.weights for each in store.records.generations()] == [{"c": third}, {"c": half, "d": half}]
    assert states(store) == [(2, "active"), (1, "retained")]
    # A step back brings its own weights back.
    store.records.activate(store.records.generations()[1], retain=1)
    assert store.records.generations()[0].weights == {"c": half, "d": half}


def test_only_retained_generations_are_released(store: CorpusStore) -> None:
    for model in ("a", "b"):
        store.records.activate(record(model), retain=1)
    for number in (2, 9, 1):
        store.records.release(number)
    assert states(store) == [(2, "active"), (1, "released")]


def test_jobs_are_replaced_and_listed_by_time(store: CorpusStore) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    written = {
        name: f'{{"id":"{name}","created":"{(began + timedelta(hours=hour)).isoformat()}"}}'
        for name, hour in (("second", 1), ("third", 2), ("first", 0))
    }
    for name, text in written.items():
        store.records.save_job(name, "queued", text)
    store.records.save_job("third", "running", written["third"])
    store.records.save_job("first", "done", written["first"])
    assert store.records.latest_jobs(2) == [written["third"], written["second"]]
    assert sorted(store.records.unfinished_jobs()) == sorted([written["second"], written["third"]])
    assert store.records.job("first") == written["first"]
    assert store.records.job("no such") is None


def test_notes_are_replaced_removed_and_listed_by_their_beginning(store: CorpusStore) -> None:
    for name, text in (("a:x", "1"), ("a:y", "2"), ("a:y", "3"), ("b:x", "4"), ("A:z", "5"), ("a:x", None)):
        store.records.save_note(name, text)
    assert store.records.notes("a:") == {"y": "3"}
    assert [store.records.note(name) for name in ("a:x", "a:y", "b:x")] == [None, "3", "4"]


def test_a_note_that_all_must_know_is_a_note(store: CorpusStore) -> None:
    for text in ("1", "2"):
        store.records.announce("a:x", text)
        assert store.records.notes("a:") == {"x": text}
