"""The contract of a corpus store, as `service.corpus.base` says it, held against every store there is."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from service.corpus import filters
from service.corpus.base import Change, CorpusStore, Document, GenerationRecord, Judgement, Outcome, Prepare, Which
from service.corpus.memory.store import MemoryStore
from service.corpus.refusals import require_collection
from service.corpus.sqlite.store import SqliteStore
from service.errors import InvalidRequest, NotFound, TooLarge
from service.settings.data_folder import DataFolder
from tests.unit.corpus.test_filters import FILTERS, METADATA, passes
from tests.unit.corpus.test_words import FOUND, NOT_FOUND

MOST = 6
STORES: dict[str, Callable[[Path], CorpusStore]] = {
    "memory": lambda _: MemoryStore(MOST),
    "sqlite": lambda folder: SqliteStore(DataFolder(folder), MOST),
}
COLLECTIONS = ("default", "other")
IDS = [f"d{number}" for number in range(7)]
# No English ending, which a store may or may not take off.
WORDS = ("kazu", "moro", "tibu", "E-17")
PINS = "pinning"

collections = st.sampled_from(COLLECTIONS)
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
documents = st.builds(
    Document,
    st.sampled_from(IDS),
    texts,
    st.fixed_dictionaries({}, optional={"n": st.integers(0, 3), "tags": st.lists(st.sampled_from("xy"), max_size=2)}),
)


class Veto(Exception):
    """Raised by `prepare`."""


def accept(_: Change) -> None:
    """Let every change pass."""


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CorpusStore]:
    with closing(STORES[request.param](tmp_path)) as opened:
        yield opened


@pytest.fixture(params=STORES, scope="module")
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CorpusStore]:
    """A store for tests that have a collection of their own in each example."""
    with closing(STORES[request.param](tmp_path_factory.mktemp("shared"))) as opened:
        yield opened


def put(store: CorpusStore, collection: str = "default", **texts: str) -> list[int]:
    """Put a document of each text; returns their sequence numbers."""
    made = [Document(identity, text, {}) for identity, text in texts.items()]
    return list(store.documents.put(collection, made, accept).added)


# Documents


@dataclass(frozen=True)
class Known:
    """A version, as a dictionary remembers it."""

    collection: str
    document: Document
    dead: bool = False


class StoreMachine(RuleBasedStateMachine):
    """Writes, deletes, vetoes, purges and reserved numbers in any order, against a dictionary."""

    make: Callable[[Path], CorpusStore]

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="instar-store-"))
        self.store = type(self).make(self.folder)
        self.known: dict[int, Known] = {}
        self.last = 0

    @rule(collection=collections, batch=st.lists(documents, max_size=4), veto=st.booleans())
    def put(self, collection: str, batch: list[Document], veto: bool) -> None:
        latest = {document.id: document for document in batch}
        added = dict(enumerate(latest.values(), self.last + 1))
        died = [seq for seq, known in self.live(collection).items() if known.document.id in latest]
        if self.write(partial(self.store.documents.put, collection, batch), collection, list(added), died, veto=veto):
            self.known |= {seq: Known(collection, document) for seq, document in added.items()}
            self.last += len(added)

    @rule(collection=collections, ids=st.lists(st.sampled_from([*IDS, "no such"]), max_size=4), veto=st.booleans())
    def delete(self, collection: str, ids: list[str], veto: bool) -> None:
        died = [seq for seq, known in self.live(collection).items() if known.document.id in ids]
        self.write(partial(self.store.documents.delete, collection, ids), collection, [], died, veto=veto)

    @rule(collection=collections, least=st.integers(0, 3), veto=st.booleans())
    def delete_matching(self, collection: str, least: int, veto: bool) -> None:
        tree = filters.parse({"n": {"gte": least}})
        died = [seq for seq, known in self.live(collection).items() if known.document.metadata.get("n", -1) >= least]
        self.write(partial(self.store.documents.delete_matching, collection, tree), collection, [], died, veto=veto)

    @rule(collection=collections, step=st.integers(1, 4), veto=st.booleans())
    def delete_versions(self, collection: str, step: int, veto: bool) -> None:
        seqs = list(range(0, self.last + 2, step))
        died = [seq for seq in self.live(collection) if seq % step == 0]
        self.write(partial(self.store.documents.delete_versions, collection, seqs), collection, [], died, veto=veto)

    @rule(collection=collections, veto=st.booleans())
    def delete_collection(self, collection: str, veto: bool) -> None:
        died = list(self.live(collection))
        self.write(partial(self.store.documents.delete_collection, collection), collection, [], died, veto=veto)

    @rule(step=st.integers(1, 3))
    def purge(self, step: int) -> None:
        seqs = list(range(1, self.last + 2, step))
        self.store.documents.purge(seqs)
        self.known = {seq: known for seq, known in self.known.items() if not (known.dead and seq in seqs)}

    @rule(ahead=st.integers(-2, 3))
    def reserve(self, ahead: int) -> None:
        assert self.store.documents.reserve(self.last + ahead) == self.last
        self.last = max(self.last, self.last + ahead)

    def live(self, collection: str) -> dict[int, Known]:
        return {seq: known for seq, known in self.known.items() if known.collection == collection and not known.dead}

    def write(
        self, write: Callable[[Prepare], Change], collection: str, added: list[int], died: list[int], *, veto: bool
    ) -> bool:
        """Write, and hold the change against what is expected; returns whether it was committed."""
        expected = Change(collection, self.last, tuple(added), tuple(died))
        prepared: list[Change] = []

        def prepare(change: Change) -> None:
            prepared.append(change)
            # Nothing is committed yet.
            assert self.store.documents.last_seq() == self.last
            assert self.store.documents.live_in(collection).tolist() == list(self.live(collection))
            if veto:
                raise Veto

        if veto:
            with pytest.raises(Veto):
                write(prepare)
        else:
            assert write(prepare) == expected
            self.known |= {seq: replace(self.known[seq], dead=True) for seq in died}
        assert prepared == [expected]
        return not veto

    @invariant()
    def everything_agrees(self) -> None:
        stored, last = self.store.documents, self.last
        assert stored.last_seq() == last
        assert stored.fetch(range(last + 2)) == {seq: known.document for seq, known in self.known.items()}
        assert stored.dead(1000) == [seq for seq, known in self.known.items() if known.dead]
        assert stored.dead(1) == stored.dead(1000)[:1]
        there = {name: self.live(name) for name in COLLECTIONS if self.live(name)}
        assert list(stored.collections().items()) == [(name, len(live)) for name, live in there.items()]
        for after in (0, last // 2):
            later = {name: [seq for seq in live if seq > after] for name, live in there.items()}
            assert {name: seqs.tolist() for name, seqs in stored.live(after).items()} == {
                name: seqs for name, seqs in later.items() if seqs
            }
        for name in COLLECTIONS:
            self.collection_agrees(name)

    def collection_agrees(self, name: str) -> None:
        stored, live = self.store.documents, self.live(name)
        versions = stored.page(name, 0, 1000)
        assert {version.seq: version.document for version in versions} == {
            s: known.document for s, known in live.items()
        }
        assert [version.seq for version in versions] == sorted(live)
        assert stored.page(name, self.last // 2, 2) == [each for each in versions if each.seq > self.last // 2][:2]
        assert stored.live_in(name).tolist() == sorted(live)
        assert stored.count_after(name, self.last // 2) == sum(seq > self.last // 2 for seq in live)
        assert stored.dead_of(name) == [s for s, known in self.known.items() if known.dead and known.collection == name]
        by_id = {version.document.id: version for version in versions}
        assert stored.current(name, [*IDS, "no such"]) == by_id
        assert stored.seqs_of(name, [*IDS, "no such"]) == {identity: each.seq for identity, each in by_id.items()}
        assert {identity: stored.get(name, identity) for identity in IDS} == {i: by_id.get(i) for i in IDS}
        tagged = filters.Condition("tags", "in", (filters.index_value("x"),))
        having = [
            s
            for s, each in self.known.items()
            if each.collection == name and "x" in each.document.metadata.get("tags", ())
        ]
        assert stored.meeting(name, tagged).tolist() == having
        assert stored.meeting(name, tagged, self.last // 2).tolist() == [seq for seq in having if seq > self.last // 2]
        assert found(self.store, WORDS[0], name) == {
            s for s, known in self.known.items() if known.collection == name and WORDS[0] in known.document.text.split()
        }

    @invariant()
    def texts_are_found(self) -> None:
        live = {seq: known.document.text for seq, known in self.known.items() if not known.dead}
        sources = self.store.documents.with_text([*live.values(), "no such"])
        assert sources.keys() == set(live.values())
        assert all(seqs and all(live[seq] == text for seq in seqs) for text, seqs in sources.items())
        sample = self.store.documents.sample(3)
        assert sample == self.store.documents.sample(3)
        assert len(sample) == min(3, len(live))
        assert set(sample) <= set(live.values())

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)


@pytest.mark.parametrize("name", STORES)
def test_any_order_of_writes_agrees_with_a_dictionary(name: str) -> None:
    machine = type("Machine", (StoreMachine,), {"make": staticmethod(STORES[name])})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_a_sample_is_spread_from_the_first_to_the_last_write(store: CorpusStore) -> None:
    put(store, **{f"d{number}": f"text {number}" for number in range(10)})
    assert store.documents.sample(5) == [f"text {number}" for number in range(0, 10, 2)]
    assert store.documents.sample(99) == [f"text {number}" for number in range(10)]


def test_what_is_written_does_not_change_with_the_callers_objects(store: CorpusStore) -> None:
    metadata: dict[str, Any] = {"tags": ["x"]}
    store.documents.put("default", [Document("a", "text", metadata)], accept)
    metadata["tags"].append("y")
    version = store.documents.get("default", "a")
    assert version is not None
    assert version.document.metadata == {"tags": ["x"]}


def test_an_unknown_collection_is_refused_with_those_that_there_are(store: CorpusStore) -> None:
    require_collection(store.documents, "default")
    with pytest.raises(NotFound, match="none yet, POST /documents makes one"):
        require_collection(store.documents, "other")
    put(store, "other", a="text")
    require_collection(store.documents, "other")
    with pytest.raises(NotFound, match="'another': there are other"):
        require_collection(store.documents, "another")


# Filters

_collection = iter(f"c{number}" for number in range(10**9))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(corpus=st.lists(METADATA, min_size=1, max_size=6), source=FILTERS)
def test_a_filter_finds_what_its_definition_says(
    shared: CorpusStore, corpus: list[dict[str, Any]], source: dict[str, Any]
) -> None:
    collection = next(_collection)
    written = [Document(str(number), "text", metadata) for number, metadata in enumerate(corpus)]
    added = np.array(shared.documents.put(collection, written, accept).added)
    tree = filters.parse(source)
    expected = [passes(metadata, source) for metadata in corpus]
    meeting = partial(shared.documents.meeting, collection)
    assert filters.evaluate(tree, lambda leaf: np.isin(added, meeting(leaf))).tolist() == expected
    died = shared.documents.delete_matching(collection, tree, accept).died
    assert list(died) == added[expected].tolist()
    # Those that are dead meet what they met, until they are purged.
    assert filters.evaluate(tree, lambda leaf: np.isin(added, meeting(leaf))).tolist() == expected
    shared.documents.purge(died)
    if isinstance(tree, filters.Condition):
        assert not len(meeting(tree))


# Keywords


def ranking(store: CorpusStore, query: str, collection: str | None = None) -> list[tuple[int, float]]:
    lookup = store.keywords.lookup(query)
    with closing(store.keywords.ranked(lookup, collection)) as portions:
        return [scored for portion in portions for scored in portion]


def found(store: CorpusStore, query: str, collection: str | None = None) -> set[int]:
    return {seq for seq, _ in ranking(store, query, collection)}


@pytest.mark.parametrize(("query", "text"), [(query, text) for query, text in FOUND if query != PINS])
def test_words_are_found_in_any_script_and_spelling(store: CorpusStore, query: str, text: str) -> None:
    (seq,) = put(store, a=text)
    assert found(store, query) == {seq}
    assert store.keywords.highlights(query, [text]) != [[]]


@pytest.mark.parametrize(("query", "text"), NOT_FOUND)
def test_other_words_are_not_found(store: CorpusStore, query: str, text: str) -> None:
    put(store, a=text)
    assert found(store, query) == set()
    assert store.keywords.highlights(query, [text]) == [[]]


@settings(max_examples=25, deadline=None)
@given(written=st.lists(st.tuples(collections, texts), max_size=12), query=texts)
@pytest.mark.parametrize("name", STORES)
def test_a_ranking_is_whole_in_order_and_within_its_bound(
    name: str, written: list[tuple[str, str]], query: str
) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(STORES[name](Path(folder))) as store:
        added = {
            put(store, collection, **{f"d{number}": text})[0]: (collection, text)
            for number, (collection, text) in enumerate(written)
        }
        asked = set(query.split())
        for collection in (None, *COLLECTIONS):
            ranked = ranking(store, query, collection)
            assert {seq for seq, _ in ranked} == {
                seq for seq, (where, text) in added.items() if collection in (None, where) and asked & set(text.split())
            }
            assert ranked == sorted(ranked, key=lambda scored: (-scored[1], scored[0]))
            assert len({seq for seq, _ in ranked}) == len(ranked)
            assert all(0 < score <= store.keywords.lookup(query).most for _, score in ranked)


def test_rare_words_frequent_words_and_short_texts_come_first(store: CorpusStore) -> None:
    filler = {f"f{number}": "common words of no use" for number in range(20)}
    rare, often, once, longer, again = put(
        store,
        rare="kazu words words words",
        often="moro moro moro words",
        once="moro words words words",
        longer="moro words words words words words",
        again="moro words words words",
    )
    put(store, **filler)
    assert [seq for seq, _ in ranking(store, "kazu moro")] == [rare, often, once, again, longer]
    scores = dict(ranking(store, "kazu moro"))
    assert scores[once] == scores[again]


def test_dead_versions_are_found_until_they_are_purged(store: CorpusStore) -> None:
    (first,) = put(store, a="kazu")
    (second,) = put(store, a="kazu moro")
    assert found(store, "kazu") == {first, second}
    store.documents.purge([first, second])
    assert found(store, "kazu") == {second}


def test_a_query_without_words_finds_nothing(store: CorpusStore) -> None:
    put(store, a="kazu")
    assert ranking(store, "-!") == []
    assert ranking(store, "moro") == []
    assert store.keywords.highlights("-!", ["kazu", "moro"]) == [[], []]


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("kazu_moro -tibu", "Use KAZU_moro with -tibu; a kazu moro", ["KAZU_moro", "tibu", "kazu moro"]),
        ("kazu moro", "kazu moro", ["kazu", "moro"]),
        ("数据库", "连接数据库失败", ["数据库"]),
        ("abc", "连接 \uff21\uff22\uff23 失败", ["\uff21\uff22\uff23"]),
        ("cafe", "Two Café, one café", ["Café", "café"]),
        ("1 4", "a \u00bc b", ["\u00bc"]),
    ],
)
def test_highlights_are_the_words_of_the_query(store: CorpusStore, query: str, text: str, marked: list[str]) -> None:
    spans = store.keywords.highlights(query, ["no such", text])
    assert spans[0] == []
    assert [text[start:end] for start, end in spans[1]] == marked


# Records


def record(model: str, number: int = 0) -> GenerationRecord:
    return GenerationRecord(number=number, model=model, fingerprint="f", dimensions=4, built=datetime.now(UTC))


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


# Judgements


def judged(query: str, document: str, good: bool = True, **more: str) -> Judgement:
    return Judgement(query=query, document=document, good=good, **more)


def keys(judgements: Sequence[Judgement]) -> list[tuple[str, str, str]]:
    return [judgement.key for judgement in judgements]


def test_judgements_are_added_and_changed(store: CorpusStore) -> None:
    put(store, a="text")
    outcome = store.judgements.add([judged("q", "b"), judged("q", "a", provenance="by hand"), judged("p", "a")])
    assert outcome == Outcome(judgements=3, queries=2, added=3, changed=0, removed=0, unresolved=1)
    assert keys(store.judgements.all()) == [("default", "p", "a"), ("default", "q", "a"), ("default", "q", "b")]
    assert store.judgements.all()[1] == judged("q", "a", provenance="by hand")
    outcome = store.judgements.add([judged("q", "a", False), judged("p", "a"), judged("p", "a")])
    assert outcome == Outcome(judgements=3, queries=2, added=0, changed=1, removed=0, unresolved=0)
    assert store.judgements.all()[1] == judged("q", "a", False)


def test_judgements_are_replaced_all_or_those_of_a_collection(store: CorpusStore) -> None:
    put(store, "other", a="text")
    store.judgements.add([judged("q", "a"), judged("q", "a", collection="other"), judged("p", "a", collection="other")])
    outcome = store.judgements.replace([judged("q", "a", False, collection="other")], "other")
    assert outcome == Outcome(judgements=2, queries=2, added=0, changed=1, removed=1, unresolved=0)
    outcome = store.judgements.replace([judged("new", "a")])
    assert outcome == Outcome(judgements=1, queries=1, added=1, changed=0, removed=2, unresolved=1)
    assert store.judgements.replace([]).removed == 1
    assert store.judgements.all() == []


def test_judgements_of_no_document_of_their_collection_are_refused(store: CorpusStore) -> None:
    put(store, a="text")
    store.judgements.add([judged("q", "a")])
    for change in (store.judgements.add, store.judgements.replace):
        with pytest.raises(InvalidRequest, match="has none of the documents that are judged \\(as 'b'\\)"):
            change([judged("q", "b"), judged("q", "c")], "default")
    assert keys(store.judgements.all()) == [("default", "q", "a")]
    assert store.judgements.add([judged("q", "b"), judged("p", "a")], "default").unresolved == 1


def test_too_many_judgements_are_refused_and_change_nothing(store: CorpusStore) -> None:
    store.judgements.add([judged("q", f"d{number}") for number in range(MOST)])
    with pytest.raises(TooLarge, match="INSTAR_LIMITS__JUDGEMENTS"):
        store.judgements.add([judged("q", "another")])
    with pytest.raises(TooLarge):
        store.judgements.replace([judged("p", f"d{number}") for number in range(MOST + 1)])
    assert len(store.judgements.all()) == MOST
    assert store.judgements.add([judged("q", "d0", False)]).changed == 1


def test_judgements_are_paged_and_removed_by_conditions(store: CorpusStore) -> None:
    put(store, a="text")
    written = [judged("q", "a"), judged("q", "b"), judged("p", "a"), judged("p", "a", collection="other")]
    store.judgements.add(written)
    assert store.judgements.counts() == (4, 2)
    ordered = store.judgements.all()
    first = store.judgements.page(Which(), None, 3)
    assert first == ordered[:3]
    assert store.judgements.page(Which(), first[-1].key, 3) == ordered[3:]
    assert keys(store.judgements.page(Which(query="q"), None, 9)) == [("default", "q", "a"), ("default", "q", "b")]
    assert keys(store.judgements.page(Which(collection="other"), None, 9)) == [("other", "p", "a")]
    unresolved = [("default", "q", "b"), ("other", "p", "a")]
    assert keys(store.judgements.page(Which(unresolved=True), None, 9)) == unresolved
    assert store.judgements.remove(Which(document="a", query="p")) == 2
    assert store.judgements.remove(Which(unresolved=True)) == 1
    store.documents.delete("default", ["a"], accept)
    assert store.judgements.counts() == (1, 1)


# The whole


def test_a_backup_is_a_file_and_tells_its_generations(store: CorpusStore, tmp_path: Path) -> None:
    put(store, a="text")
    store.records.activate(record("a"), retain=1)
    target = tmp_path / "copy"
    assert store.backup(target) == store.records.generations()
    assert target.stat().st_size > 0
    assert store.size() > 0
