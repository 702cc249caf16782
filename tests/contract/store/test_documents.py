"""Documents: versions that are written, die and are purged."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from service.corpus import filters
from service.corpus.base import Change, CorpusStore, Document, Prepare
from service.corpus.judgements import Judgement
from service.corpus.refusals import require_collection
from service.errors import NotFound
from tests.contract.store.stores import COLLECTIONS, POSTGRES, STORES, accept, collections, put, texts

IDS = [f"d{number}" for number in range(7)]
# Each of its thousands of reads is a round trip to a server.
EXAMPLES = dict.fromkeys(POSTGRES, 20)

documents = st.builds(
    Document,
    st.sampled_from(IDS),
    texts,
    st.fixed_dictionaries({}, optional={"n": st.integers(0, 3), "tags": st.lists(st.sampled_from("xy"), max_size=2)}),
)


class Veto(Exception):
    """Raised by `prepare`."""


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
        # When the write of each collection that changed it last began and ended.
        self.written: dict[str, tuple[datetime, datetime]] = {}

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
        began = datetime.now(UTC)

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
            if added or died:
                self.written[collection] = began, datetime.now(UTC)
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
        written = stored.last_written()
        assert list(written) == list(there)
        for name, moment in written.items():
            began, ended = self.written[name]
            assert moment is not None
            assert began <= moment <= ended
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

    @invariant()
    def texts_are_found(self) -> None:
        texts = {seq: known.document.text for seq, known in self.known.items()}
        sources = self.store.documents.with_text([*texts.values(), "no such"])
        assert sources.keys() == set(texts.values())
        assert all(seqs and all(texts[seq] == text for seq in seqs) for text, seqs in sources.items())
        live = {seq: known.document.text for seq, known in self.known.items() if not known.dead}
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
            max_examples=EXAMPLES.get(name, 60),
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
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


def test_any_character_is_stored_and_names_have_the_order_of_code_points(store: CorpusStore) -> None:
    odd = "a\0b\t\\ \u20ac\uffff\U0001f600"
    document = Document(odd, odd, {odd: odd, "list": [odd, 1.5, None, True]})
    names = ["A", "Z", "a", odd, "\u00e9", "\uffff", "\U0001f600"]
    for name in reversed(names):
        store.documents.put(name, [document], accept)
    assert list(store.documents.collections()) == names
    version = store.documents.get(odd, odd)
    assert version is not None
    assert version.document == document
    assert store.documents.passing(odd, filters.parse({odd: odd})).tolist() == [version.seq]
    assert store.documents.passing(odd, filters.parse({odd: {"gt": "a\0"}})).tolist() == [version.seq]
    assert store.documents.passing(odd, filters.parse({odd: {"gt": "a\1"}})).tolist() == []
    assert store.documents.with_text([odd, "a"]).keys() == {odd}
    said = Judgement(query=odd, document=odd, good=True, collection=odd, provenance=odd, by=odd, source="person")
    store.judgements.add([said])
    assert store.judgements.all()[0].model_copy(update={"at": None, "side": None}) == said
    store.records.save_note(f"n:{odd}", odd)
    assert store.records.notes("n:") == {odd: odd}


def test_an_unknown_collection_is_refused_with_those_that_there_are(store: CorpusStore) -> None:
    require_collection(store.documents, "default")
    with pytest.raises(NotFound, match="none yet, POST /documents makes one"):
        require_collection(store.documents, "other")
    put(store, "other", a="text")
    require_collection(store.documents, "other")
    with pytest.raises(NotFound, match="'another': there are other"):
        require_collection(store.documents, "another")
