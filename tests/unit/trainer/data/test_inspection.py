"""Each flaw of a data set is counted, and what can be mended is."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from trainer.data import inspection
from trainer.data.dataset import SPLITS, Dataset, Document, Judgement, Split

QUERIES = {"q1": "how", "q2": "why", "q3": " How", "q4": "when"}
CORPUS = {
    "a": Document("so"),
    "b": Document("no"),
    "copy": Document("SO "),
    "c": Document("later, much later", title="Time"),
    "d": Document("never"),
}
CLEAN = Dataset(
    {"q1": "how", "q2": "why", "q4": "when"},
    {key: document for key, document in CORPUS.items() if key != "copy"},
    (Judgement("q1", "a", True), Judgement("q2", "b", True), Judgement("q4", "c", True), Judgement("q4", "d", False)),
    {"q1": "train", "q2": "dev", "q4": "test"},
)


def with_judgements(*judgements: Judgement) -> Dataset:
    return replace(CLEAN, judgements=(*CLEAN.judgements, *judgements))


def test_clean_data_has_no_findings() -> None:
    found = inspection.inspect(CLEAN, tokens=lambda texts: [len(text.split()) for text in texts], limit=4)
    findings = found.facts()["findings"]
    assert isinstance(findings, dict)
    assert all(finding == {"count": 0, "examples": []} for finding in findings.values())
    assert len(findings) == 7
    assert found.left == {"train": 1, "dev": 1, "test": 1, "all": 3}
    assert [(leak.queries, leak.of) for leak in found.leaks.values()] == [(0, 1), (0, 1)]
    assert found.counts["bad judgements"] == 1
    assert inspection.cleaned(CLEAN) == CLEAN


def test_every_flaw_is_counted_and_shown() -> None:
    dataset = Dataset(
        QUERIES | {"q5": " "},
        CORPUS | {"e": Document("")},
        (
            *CLEAN.judgements,
            Judgement("q1", "a", True),
            Judgement("q2", "b", False),
            Judgement("q9", "a", True),
            Judgement("q4", "z", False),
            Judgement("q3", "copy", True),
        ),
        {"q1": "train", "q2": "dev", "q4": "test", "q3": "test"},
    )
    resolved = replace(dataset, judgements=tuple(one for one in dataset.judgements if one.query != "q9"))
    found = inspection.inspect(resolved, tokens=lambda texts: [len(text.split()) for text in texts], limit=3)
    assert found.repeated == (Judgement("q1", "a", True),)
    assert found.contradictions == (("q2", "b"),)
    assert found.same_documents == (("a", "copy"),)
    assert found.same_queries == (("q1", "q3"),)
    assert found.unresolved == ("z",)
    assert found.empty == ("q5", "e")
    assert found.too_long == ("c",)
    assert found.leaks["test"] == inspection.Leak(same_query=1, same_good=1, queries=1, of=2)
    assert found.leaks["dev"].queries == 0
    assert found.left == {"train": 1, "dev": 0, "test": 2, "all": 3}
    assert inspection.inspect(dataset).unresolved == ("q9", "z")
    rows = [line.split("  ") for line in found.table().splitlines()]
    table = {row[0]: " ".join(row[1:]).split() for row in rows}
    assert table["good and bad at once"] == ["1", "q2/b"]
    assert table["documents with the same text"] == ["1", "a=copy"]
    assert table["documents longer than 3 tokens"] == ["1", "c"]
    assert table["test queries known from an earlier split"][:3] == ["1", "of", "2"]


def test_without_a_tokenizer_nothing_is_said_of_length() -> None:
    found = inspection.inspect(CLEAN)
    assert found.too_long is None
    assert "tokens" not in found.table()


def test_a_test_answer_that_weak_pairs_train_on_is_a_leak() -> None:
    dataset = with_judgements(Judgement("q1", "c", True, weak=True))
    assert inspection.leak(dataset, "test") == inspection.Leak(same_query=0, same_good=1, queries=1, of=1)


def test_of_two_that_contradict_each_other_none_is_kept() -> None:
    kept = inspection.cleaned(with_judgements(Judgement("q1", "a", False)))
    assert "q1" not in kept.good()
    assert "q1" not in kept.bad()
    assert "q1" not in kept.splits


def test_a_contradiction_is_one_of_texts_and_not_of_ids() -> None:
    dataset = Dataset(QUERIES, CORPUS, (Judgement("q1", "a", True), Judgement("q3", "copy", False)))
    assert inspection.cleaned(dataset).judgements == ()


def test_a_persons_word_stands_against_a_weak_one() -> None:
    kept = inspection.cleaned(
        with_judgements(Judgement("q4", "d", True, weak=True), Judgement("q1", "a", False, weak=True))
    )
    assert kept == CLEAN


def test_of_weak_contradictions_none_is_kept_unless_a_person_decides() -> None:
    good, bad = Judgement("q1", "b", True, weak=True), Judgement("q1", "b", False, weak=True)
    assert inspection.cleaned(with_judgements(good, bad)) == CLEAN
    person = Judgement("q1", "b", True)
    assert set(inspection.cleaned(with_judgements(good, bad, person)).judgements) == {*CLEAN.judgements, good, person}


def test_a_copy_of_a_good_document_is_good_and_the_corpus_stays_whole() -> None:
    dataset = Dataset(QUERIES, CORPUS, (Judgement("q1", "a", True), Judgement("q2", "copy", False)))
    kept = inspection.cleaned(dataset)
    assert kept.good() == {"q1": {"a", "copy"}}
    assert kept.bad() == {"q2": {"copy"}}
    assert kept.corpus == CORPUS


JUDGEMENTS = st.lists(
    st.builds(
        Judgement, st.sampled_from(sorted(QUERIES)), st.sampled_from(sorted(CORPUS)), st.booleans(), st.booleans()
    ),
    max_size=12,
)


@given(JUDGEMENTS, st.lists(st.sampled_from(SPLITS), min_size=4, max_size=4))
def test_what_was_cleaned_is_clean(judgements: list[Judgement], names: list[Split]) -> None:
    judged = {one.query for one in judgements if not one.weak}
    splits = {query: name for query, name in zip(sorted(QUERIES), names, strict=True) if query in judged}
    kept = inspection.cleaned(Dataset(QUERIES, CORPUS, tuple(judgements), splits))
    found = inspection.inspect(kept)
    assert (found.repeated, found.contradictions, found.unresolved) == ((), (), ())
    assert inspection.cleaned(kept) == kept
    assert kept.splits.keys() == {one.query for one in kept.judgements if not one.weak}
