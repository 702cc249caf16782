"""A data folder with something of everything that a service must not lose, and all of it as its stores tell it."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from service.access import keyring
from service.access.keyring import Limits
from service.corpus.balance import Balance
from service.corpus.base import Change, CorpusStore, Document, Documents, GenerationRecord
from service.corpus.judgements import Judgement, Source
from service.corpus.sqlite.store import SqliteStore
from service.index.rows import Rows, stack
from service.index.stores import VectorStores
from service.index.vector_folder import VectorFolder
from service.learning.base import Event, FeedbackStore, LoggedSearch, Shown
from service.learning.insights import Period
from service.learning.pseudonyms import Pseudonyms
from service.learning.sqlite.store import SqliteFeedbackStore
from service.machine.arrays import Windows
from service.machine.secret_file import make_secret
from service.settings.data_folder import DataFolder

LIMIT = 1000
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
FINGERPRINTS = {"1f" * 16: 4, "2e" * 16: 8}
# What is asked of a corpus that was filled.
QUERIES = ("how much does it weigh", "Größe 日本 🙂")
# Clients cannot send U+0000, and stores of documents keep it.
_TEXTS = {"a": "closing the day", "b\0": "zero \0 within", "größe": "日本 🙂", "c": "again", "d": "\\x41 \\N\ttab\n"}
_METADATA: dict[str, Any] = {
    "lang": "en\0",
    "year": 2026,
    "share": 0.1,
    "huge": 2**70,
    "date": "2026-11-28",
    "tags": ["x", "y", []],
    "none": None,
    "deep": {"flag": True},
}


def fill(folder: DataFolder) -> None:
    """Fill an empty folder by the methods of its stores, as a service does."""
    with closing(SqliteStore(folder, LIMIT)) as store:
        _fill_corpus(store)
        seqs = sorted(int(seq) for live in store.documents.live().values() for seq in live)
    with closing(SqliteFeedbackStore(folder.learning)) as users:
        _fill_users(users)
    _fill_vectors(VectorFolder(folder.vectors), seqs)
    Pseudonyms(folder.pseudonyms_key).load()
    make_secret(folder.console_key)
    keyring.create(folder.keys, "app", ["search"], Limits())


def tell_corpus(store: CorpusStore) -> dict[str, Any]:
    """Everything that the stores of a corpus say of it."""
    documents, records = store.documents, store.records
    return {
        "documents": {name: documents.page(name, 0, 10_000) for name in documents.collections()},
        "collections": (documents.collections(), documents.last_written()),
        "last_seq": documents.last_seq(),
        "values": {
            key: documents.count_values("default", key, documents.live_in("default"), 10)
            for key in ("year", "date", "tags", "lang")
        },
        "texts": _with_text(documents),
        "judgements": store.judgements.all(),
        "sides": {query: store.judgements.side_of(query) for query in QUERIES},
        "judged": store.judgements.judged(),
        "disputed": store.judgements.disputed(None, 10),
        "generations": (records.generations(), records.next_number()),
        "notes": records.notes(""),
        "jobs": (records.latest_jobs(10), sorted(records.unfinished_jobs())),
    }


def tell_users(store: FeedbackStore) -> dict[str, Any]:
    """Everything that a store says of what users did."""
    return {
        "events": list(store.events()),
        "searches": store.searches(None, 1000),
        "impressions": sorted(store.impressions(), key=repr),
        "thumbs": store.thumbs(None, 100),
        "asked": store.most_asked(None, 1000, 100),
        "insights": store.insights(Period(NOON.date() - timedelta(days=3), 10)),
    }


def tell_vectors(stores: VectorStores) -> dict[str, Any]:
    """All stored windows, and how each collection was cut."""
    told = {}
    for fingerprint in sorted(stores.fingerprints()):
        with closing(stores.open_store(fingerprint, FINGERPRINTS[fingerprint])) as store:
            rows = store.get(stores.stored(fingerprint))
            assert rows is not None
            told[fingerprint] = (rows.seqs.tolist(), rows.vectors.tolist(), rows.spans.tolist(), store.windowing())
    return told


def _with_text(documents: Documents) -> dict[str, list[int]]:
    """The live documents with each text. A store may know some that are dead, which a move leaves behind."""
    live = {int(seq) for seqs in documents.live().values() for seq in seqs}
    of_texts = documents.with_text(list(_TEXTS.values()))
    return {text: left for text, seqs in of_texts.items() if (left := [seq for seq in seqs if seq in live])}


def event_like(event: Event, identity: str, query: str) -> Event:
    """Another event, about another query."""
    return replace(event, id=identity, query=query, search=None)


def _fill_corpus(store: CorpusStore) -> None:
    put = store.documents.put
    put("default", [Document(identity, text, _METADATA) for identity, text in _TEXTS.items()], _pass)
    put("other\0 größe", [Document("a", "elsewhere", {})], _pass)
    put("gone", [Document("a", "deleted", {})], _pass)
    store.judgements.add([_judged("a", QUERIES[0], "sent"), _judged("later", QUERIES[1], "generated", by="ann")])
    put("default", [Document("a", "another text", {}), Document("later", "came later", {})], _pass)
    store.judgements.add(
        [
            _judged("a", QUERIES[0], "person", by="ann"),
            _judged("a", QUERIES[0], "person", by="bob", good=False, provenance="he\0 said"),
            _judged("b\0", "What does it weigh?", "feedback", weight=0.1),
            _judged("never", "how heavy is it", "click", weight=1 / 3),
        ]
    )
    store.documents.delete_collection("gone", _pass)
    store.documents.delete("default", ["c"], _pass)
    store.documents.reserve(500)
    for model, fingerprint in zip("abca", [*FINGERPRINTS, *FINGERPRINTS], strict=True):
        store.records.activate(_record(f"{model}@0123456789ab", fingerprint), retain=1)
    store.records.save_weights(4, {"default": Balance.of(0.6, "fitted", 9)})
    store.records.save_note("questions:größe\0", '{"questions": []}')
    store.records.save_note("range/1f", "0.25")
    store.records.save_job("job-1", "done", '{"id": "job-1", "created": "2026-11-28T12:00:00Z", "query": "\\u0000"}')
    store.records.save_job("job-2", "queued", '{"id": "job-2", "created": "2026-11-29T12:00:00Z"}')


def _fill_users(store: FeedbackStore) -> None:
    store.log([_search(number) for number in range(30)])
    store.add([Event("e1", NOON, "good", "default", QUERIES[0], ("a",), "s-03", None, "fine", "key", "u1", "c1")])
    store.add([Event("e2", NOON, "dwell", "default", QUERIES[1], ("a", "größe"), "s-04", 12.5)])
    store.add([Event("e3", NOON, "bad", "other\u2028", "no search has asked this", ())])
    # The searches that got no feedback are counted from now on.
    store.drop(NOON + timedelta(minutes=10))


def _fill_vectors(stores: VectorStores, seqs: list[int]) -> None:
    for fingerprint, dimensions in FINGERPRINTS.items():
        with closing(stores.open_store(fingerprint, dimensions)) as store:
            store.put(_windows(seqs, dimensions))
            store.note_windowing("default", '{"most": 20}')
            store.note_windowing("other\0 größe", '{"most": 1}')


def _windows(seqs: list[int], dimensions: int) -> Rows:
    """One window for most documents, and three for each third of them."""
    random = np.random.default_rng(dimensions)
    windows = []
    for place in range(len(seqs)):
        count = 1 if place % 3 else 3
        vectors = random.standard_normal((count, dimensions)).astype(np.float32)
        spans = np.array([(0, 0)] if count == 1 else [(0, 9), (5, 14), (10, 20)], np.int32)
        windows.append(Windows(vectors, spans))
    return stack(seqs, windows)


def _judged(document: str, query: str, source: Source, *, good: bool = True, **more: Any) -> Judgement:
    return Judgement(query=query, document=document, good=good, source=source, **more)


def _record(model: str, fingerprint: str) -> GenerationRecord:
    return GenerationRecord(model=model, fingerprint=fingerprint, dimensions=FINGERPRINTS[fingerprint], built=NOON)


def _search(number: int) -> LoggedSearch:
    results = tuple(Shown(document, rank, 1 / (rank + number)) for rank, document in enumerate(("a", "größe"), 1))
    return LoggedSearch(
        id=f"s-{number:02}",
        at=NOON + timedelta(minutes=number),
        collection="default",
        query=QUERIES[number % 2],
        mode="hybrid",
        k=10,
        generation=1 + number % 2,
        checkpoint="a@0123456789ab",
        results=results if number % 5 else (),
        filter='{"lang": "en"}' if number % 3 else None,
        user=f"u{number % 4}" if number % 4 else None,
        session="c1",
        query_id=f"q{number}" if number % 7 == 0 else None,
    )


def _pass(_: Change) -> None:
    """Let every change pass."""
