"""What the index of words promises (`service.index.keywords.base`), held against texts that are gone through."""

import math
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from service.corpus.base import Change, Document, Documents, Seqs
from service.corpus.memory.store import MemoryStore
from service.index.base import GivenUp
from service.index.keywords.base import KeywordIndex
from service.index.keywords.index import TwoPartKeywords
from tests.unit.index.keywords.test_words import FOUND, NOT_FOUND

COLLECTIONS = ("default", "other")
# No English endings, so that words can be compared as they are.
WORDS = ("kazu", "moro", "tibu", "E-17")
# How many documents and stems the fresh part takes before it is sealed: none is sealed, some are, all are.
SEAL_FROM = {"fresh": (10**6, 10**6), "both": (3, 10**6), "sealed": (1, 10**6), "long": (10**6, 7)}

collections = st.sampled_from(COLLECTIONS)
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
Open = Callable[[Path, Documents], KeywordIndex]


@pytest.fixture(params=list(SEAL_FROM))
def kind(request: pytest.FixtureRequest) -> Open:
    return lambda folder, documents: TwoPartKeywords(folder, documents, *SEAL_FROM[request.param])


class Written:
    """A corpus whose words are indexed in a folder, with all maintenance after each write."""

    def __init__(self, kind: Open, folder: Path) -> None:
        self.kind, self.folder = kind, folder / "words"
        self.documents = MemoryStore(10).documents
        self.open()

    def open(self) -> None:
        """Open the index as a start does."""
        self.index = self.kind(self.folder, self.documents)
        self.index.load()

    def put(self, collection: str = "default", **texts: str) -> list[int]:
        documents = [Document(identity, text, {}) for identity, text in texts.items()]

        def prepare(change: Change) -> None:
            self.publish = self.index.prepare(change, list(texts.values()))

        change = self.documents.put(collection, documents, prepare)
        self.publish()
        self.maintain()
        return list(change.added)

    def delete(self, *ids: str, collection: str = "default") -> None:
        change = self.documents.delete(collection, ids, lambda _: None)
        self.index.prepare(change, ())()
        self.maintain()

    def maintain(self) -> None:
        for _ in range(3):
            for work in self.index.maintain():
                work(lambda: False)()

    def ranking(
        self, query: str, collection: str = "default", depth: int = 3, among: Seqs | None = None
    ) -> list[tuple[int, float]]:
        with closing(self.index.view().rank(query, collection, depth, among).portions) as portions:
            return [scored for portion in portions for scored in portion]

    def seqs(self, query: str, collection: str = "default") -> set[int]:
        return {seq for seq, _ in self.ranking(query, collection)}


@pytest.fixture
def written(kind: Open, tmp_path: Path) -> Written:
    return Written(kind, tmp_path)


@pytest.mark.parametrize(("query", "text"), FOUND)
def test_words_are_found_in_any_script_and_spelling(written: Written, query: str, text: str) -> None:
    (seq,) = written.put(a=text)
    assert written.seqs(query) == {seq}
    assert written.index.highlights(query, [text]) != [[]]


@pytest.mark.parametrize(("query", "text"), NOT_FOUND)
def test_other_words_are_not_found(written: Written, query: str, text: str) -> None:
    written.put(a=text)
    assert written.seqs(query) == set()
    assert written.index.highlights(query, [text]) == [[]]


def test_rare_words_frequent_words_and_short_texts_come_first(written: Written) -> None:
    filler = {f"f{number}": "common words of no use" for number in range(20)}
    rare, often, once, longer, again = written.put(
        rare="kazu words words words",
        often="moro moro moro words",
        once="moro words words words",
        longer="moro words words words words words",
        again="moro words words words",
    )
    written.put(**filler)
    assert [seq for seq, _ in written.ranking("kazu moro")] == [rare, often, once, again, longer]
    scores = dict(written.ranking("kazu moro"))
    assert scores[once] == scores[again]


def test_a_score_is_that_of_bm25(written: Written) -> None:
    """Robertson and Zaragoza 2009, with k1 1.2 and b 0.75."""
    seqs = written.put(a="kazu kazu moro", b="kazu", **{f"d{number}": "tibu tibu" for number in range(18)})
    idf = math.log((20 - 2 + 0.5) / (2 + 0.5))
    mean = 40 / 20
    expected = {
        seq: idf * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / mean))
        for seq, times, length in zip(seqs, (2, 1), (3, 1), strict=False)
    }
    # The sealed part has one entry of one word more, by which it marks how far it goes.
    assert dict(written.ranking("kazu")) == pytest.approx(expected, rel=0.05)
    assert written.index.view().rank("kazu", "default", 9).max_score == pytest.approx(2.2 * idf)


def test_an_identifier_as_a_whole_comes_before_its_parts(written: Written) -> None:
    parts, whole, code, other = written.put(
        parts="the pin has a place in the layer", whole="run place_pin now", code="see AB-12/3.4", other="AB 3 12 4"
    )
    assert [seq for seq, _ in written.ranking("place_pin")] == [whole, parts]
    assert [seq for seq, _ in written.ranking("AB-12/3.4")] == [code, other]


def test_the_statistics_are_those_of_the_collection(written: Written) -> None:
    written.put("other", **{f"o{number}": "kazu" for number in range(8)})
    kazu, moro = written.put(a="kazu tibu", b="moro tibu")
    scores = dict(written.ranking("kazu moro"))
    assert scores[kazu] == pytest.approx(scores[moro], rel=1e-5)
    assert written.seqs("kazu", "other").isdisjoint({kazu, moro})
    assert len(written.seqs("kazu", "other")) == 8


def test_only_few_documents_are_ranked(written: Written) -> None:
    seqs = written.put(**{f"d{number}": "kazu " * (number % 4 + 1) for number in range(12)})
    among = np.array(seqs[2:5], dtype=np.int64)
    everything = written.ranking("kazu")
    assert written.ranking("kazu", among=among) == [scored for scored in everything if scored[0] in among]


def test_a_deleted_document_leaves_for_good(written: Written) -> None:
    written.put(**{f"d{number}": "kazu" for number in range(8)})
    written.delete(*(f"d{number}" for number in range(8)))
    (seq,) = written.put(a="kazu moro")
    assert seq in written.seqs("kazu")
    written.put(b="tibu", c="tibu", d="tibu")
    written.open()
    assert {seq} <= written.seqs("kazu") <= {*range(1, seq + 1)}


def test_scores_are_the_same_after_all_was_deleted_and_other_texts_were_written(tmp_path: Path) -> None:
    texts = {f"d{number}": "moro " * (3 + number % 40) + "kazu " * (number % 3) for number in range(60)}
    scores: list[dict[int, float]] = []
    for name in ("never", "deleted"):
        written = Written(lambda folder, documents: TwoPartKeywords(folder, documents, 100), tmp_path / name)
        if name == "deleted":
            former = {f"former{number}": "tibu tibu" for number in range(200)}
            written.put(**former)
            written.delete(*former)
            # What was sealed has nothing but its mark.
            assert written.index._sealed.live == 1  # type: ignore[attr-defined]
        first = written.put(**texts)[0]
        scores.append({seq - first: score for seq, score in written.ranking("kazu moro")})
    assert scores[1] == pytest.approx(scores[0], rel=1e-5)


def test_equal_texts_have_equal_scores_in_both_parts(tmp_path: Path) -> None:
    written = Written(lambda folder, documents: TwoPartKeywords(folder, documents, 100), tmp_path)
    (sealed,) = written.put(sealed="kazu moro moro")
    written.put(**{f"d{number}": "moro tibu tibu" for number in range(99)})
    assert not written.index._fresh.rows  # type: ignore[attr-defined]
    written.put("other", **{f"long{number}": "tibu " * 300 for number in range(90)})
    (fresh,) = written.put(fresh="kazu moro moro")
    assert written.index._fresh.rows  # type: ignore[attr-defined]
    scores = dict(written.ranking("kazu"))
    assert scores[fresh] == pytest.approx(scores[sealed], rel=1e-5)


def test_a_text_keeps_its_score_when_the_first_part_is_sealed(tmp_path: Path) -> None:
    written = Written(lambda folder, documents: TwoPartKeywords(folder, documents, 100), tmp_path)
    written.put("other", **{f"short{number}": "tibu" for number in range(50)})
    long = {f"d{number}": "moro " * 40 + "kazu" for number in range(49)}
    written.put(**long)
    before = dict(written.ranking("kazu"))
    assert written.index._fresh.rows  # type: ignore[attr-defined]
    written.put("other", more="tibu")
    assert not written.index._fresh.rows  # type: ignore[attr-defined]
    assert dict(written.ranking("kazu")) == pytest.approx(before, rel=0.02)


def test_a_query_without_words_finds_nothing(written: Written) -> None:
    written.put(a="kazu")
    assert written.ranking("-!") == []
    assert written.ranking("moro") == []
    assert written.index.highlights("-!", ["kazu", "moro"]) == [[], []]


def test_a_write_that_failed_is_not_found(written: Written) -> None:
    def fail(change: Change) -> None:
        written.index.prepare(change, ["kazu"])
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        written.documents.put("default", [Document("a", "kazu", {})], fail)
    (seq,) = written.put(b="moro")
    assert written.ranking("kazu") == []
    assert written.seqs("moro") == {seq}


def test_a_view_does_not_change(written: Written) -> None:
    (first,) = written.put(a="kazu")
    before = written.index.view()
    written.put(b="kazu", c="kazu", d="kazu")
    assert [seq for portion in before.rank("kazu", "default", 9).portions for seq, _ in portion] == [first]


def test_the_next_start_finds_what_was_written(written: Written) -> None:
    seqs = written.put(a="kazu", b="kazu moro", c="tibu")
    before = written.ranking("kazu moro")
    written.open()
    assert written.ranking("kazu moro") == before
    assert written.seqs("kazu tibu") == set(seqs)


@pytest.mark.parametrize("name", ["*.idx", "*.fieldnorm", "meta.json", ".managed.json", "checksums.json"])
def test_a_damaged_folder_is_filled_again(written: Written, caplog: pytest.LogCaptureFixture, name: str) -> None:
    seqs = written.put(a="kazu", b="kazu moro", c="tibu")
    before = written.ranking("kazu moro")
    for path in written.folder.glob(name):
        content = bytearray(path.read_bytes())
        for position in range(0, len(content), 7):
            content[position] ^= 1
        path.write_bytes(content)
    written.open()
    assert written.seqs("kazu tibu") == set(seqs)
    assert dict(written.ranking("kazu moro")) == pytest.approx(dict(before), rel=0.2)
    assert "built again" in caplog.text or not list(written.folder.glob(name)) or name == ".managed.json"
    written.put(d="kazu")
    written.open()
    assert len(written.seqs("kazu tibu")) == 4


@pytest.mark.parametrize(
    "name", ["*.idx", "*.term", "*.fast", "*.pos", "*.store", "meta.json", ".managed.json", "checksums.json", "*"]
)
def test_a_lost_file_costs_no_document(written: Written, name: str) -> None:
    seqs = written.put(a="kazu", b="kazu moro", c="tibu")
    for path in written.folder.glob(name):
        path.unlink()
    written.open()
    assert written.seqs("kazu tibu") == set(seqs)


def test_words_of_writes_that_the_corpus_lost_are_not_kept(written: Written) -> None:
    written.put(a="kazu", b="kazu moro", c="tibu")
    written.documents = MemoryStore(10).documents
    written.open()
    assert written.ranking("kazu") == []
    (seq,) = written.put(a="moro")
    assert written.seqs("kazu moro") == {seq}


def test_what_is_sealed_is_interrupted_and_taken_up_again(tmp_path: Path) -> None:
    written = Written(lambda folder, documents: TwoPartKeywords(folder, documents, 4), tmp_path)
    documents = [Document(f"d{number}", "kazu", {}) for number in range(6)]
    change = written.documents.put("default", documents, lambda _: None)
    written.index.prepare(change, ["kazu"] * 6)()
    (work,) = written.index.maintain()
    with pytest.raises(GivenUp):
        work(lambda: True)
    assert written.seqs("kazu") == set(change.added)
    written.maintain()
    assert written.index.maintain() == []
    assert written.seqs("kazu") == set(change.added)
    written.open()
    assert written.seqs("kazu") == set(change.added)


def test_few_long_documents_are_sealed_by_their_stems(tmp_path: Path) -> None:
    written = Written(lambda folder, documents: TwoPartKeywords(folder, documents, 100, 50), tmp_path)
    short, long = written.put(short="kazu", long="moro " * 48)
    assert written.index._fresh.rows  # type: ignore[attr-defined]
    (last,) = written.put(last="tibu")
    assert not written.index._fresh.rows  # type: ignore[attr-defined]
    assert written.seqs("kazu moro tibu") == {short, long, last}


def test_a_start_keeps_few_stems_in_memory(tmp_path: Path) -> None:
    written = Written(lambda folder, documents: TwoPartKeywords(folder, documents, 100, 50), tmp_path)
    texts = [Document(f"d{number}", "moro " * 20 + "kazu", {}) for number in range(8)]
    first, *others = written.documents.put("default", texts, lambda _: None).added
    # The process ended before it had sealed anything.
    written.open()
    assert not written.index._fresh.rows  # type: ignore[attr-defined]
    assert written.seqs("kazu") == {first, *others}
    written.open()
    assert written.index._sealed.live == 9  # type: ignore[attr-defined]
    (fresh,) = written.put(fresh="kazu")
    written.delete("d0", "d7")
    written.open()
    assert {*others[:-1], fresh} <= written.seqs("kazu") <= {first, *others, fresh}


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("kazu_moro -tibu", "Use KAZU_moro with -tibu; a kazu moro", ["KAZU", "moro", "tibu", "kazu", "moro"]),
        ("kazu moro", "kazu moro", ["kazu", "moro"]),
        ("数据库", "连接数据库失败", ["数据库"]),
        ("abc", "连接 \uff21\uff22\uff23 失败", ["\uff21\uff22\uff23"]),
        ("cafe", "Two Café, one café", ["Café", "café"]),
        ("1 4", "a \u00bc b", ["\u00bc"]),
    ],
)
def test_highlights_are_the_words_of_the_query(written: Written, query: str, text: str, marked: list[str]) -> None:
    spans = written.index.highlights(query, ["no such", text])
    assert spans[0] == []
    joined = " ".join(marked)
    assert " ".join(text[start:end].replace("_", " ") for start, end in spans[1]) == joined


def test_highlights_of_a_collection_leave_out_words_that_say_little_there(written: Written) -> None:
    written.put(**{f"d{n}": "ein kazu" if n % 2 else "ein moro" for n in range(40)}, rare="ein tibu")
    written.put("other", rare="ein tibu")

    def marked(query: str, collection: str | None) -> list[str]:
        text = "ein kazu, ein tibu"
        (spans,) = written.index.highlights(query, [text], collection)
        return [text[start:end] for start, end in spans]

    query = "ein tibu absent"
    assert marked(query, "default") == ["tibu"]
    # Where no word says more than another, each of them is shown.
    assert marked(query, "other") == ["ein", "ein", "tibu"]
    assert marked("ein", "default") == ["ein", "ein"]
    assert marked(query, None) == ["ein", "ein", "tibu"]
    assert marked(query, "absent") == []


class Machine(RuleBasedStateMachine):
    """Writes, deletes, seals and starts in any order: every ranking is whole, in order and within its bound."""

    seal_from = (1, 1)

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()

    @initialize()
    def begin(self) -> None:
        self.written = Written(
            lambda folder, documents: TwoPartKeywords(folder, documents, *self.seal_from), Path(self.folder.name)
        )
        self.known: dict[int, tuple[str, str]] = {}
        self.ids: dict[tuple[str, str], int] = {}

    @rule(collection=collections, identity=st.sampled_from("abcd"), text=texts)
    def put(self, collection: str, identity: str, text: str) -> None:
        (seq,) = self.written.put(collection, **{identity: text})
        self.known[seq] = collection, text
        self.ids[collection, identity] = seq

    @rule(collection=collections, identity=st.sampled_from("abcd"))
    def delete(self, collection: str, identity: str) -> None:
        self.written.delete(identity, collection=collection)
        self.ids.pop((collection, identity), None)

    @rule()
    def start(self) -> None:
        self.written.open()

    @rule(query=texts, collection=collections, depth=st.integers(1, 4))
    def search(self, query: str, collection: str, depth: int) -> None:
        ranking = self.written.ranking(query, collection, depth)
        assert ranking == sorted(ranking, key=lambda scored: (-scored[1], scored[0]))
        assert len({seq for seq, _ in ranking}) == len(ranking)
        max_score = self.written.index.view().rank(query, collection, depth).max_score
        assert all(0 < score <= max_score for _, score in ranking)
        matching = {seq for seq, known in self.known.items() if self._matches(known, query, collection)}
        live = set(self.ids.values())
        assert matching & live <= {seq for seq, _ in ranking} <= matching
        assert ranking == self.written.ranking(query, collection, 1000)

    @invariant()
    def work_ends(self) -> None:
        if hasattr(self, "written"):
            assert list(self.written.index.maintain()) == []

    def teardown(self) -> None:
        self.folder.cleanup()

    @staticmethod
    def _matches(known: tuple[str, str], query: str, collection: str) -> bool:
        words = {word for text in query.split() for word in text.split("-")}
        return known[0] == collection and bool(words & {word for text in known[1].split() for word in text.split("-")})


@pytest.mark.parametrize("seal_from", sorted(SEAL_FROM.values()))
def test_any_order_of_events(seal_from: tuple[int, int]) -> None:
    machine = type("Sealing", (Machine,), {"seal_from": seal_from})
    checks = [HealthCheck.too_slow]
    run_state_machine_as_test(
        machine, settings=settings(max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=checks)
    )
