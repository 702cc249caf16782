"""Documents in memory."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from service.corpus.base import Change, Document, Prepare, Seqs, Version
from service.corpus.facets import ValueCount, most_frequent
from service.corpus.filters import Condition, Filter, attributes, evaluate, meets


@dataclass(frozen=True, slots=True)
class Row:
    """A version, and the collection that it is in."""

    collection: str
    version: Version
    dead: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """All versions by sequence number, ascending, the last number that was given, and when each collection changed."""

    rows: Mapping[int, Row]
    last: int
    written: Mapping[str, datetime] = field(default_factory=dict)

    def live(self, collection: str | None = None) -> list[Row]:
        return [row for row in self.rows.values() if not row.dead and collection in (None, row.collection)]


class MemoryDocuments:
    """The `Documents` in memory."""

    def __init__(self) -> None:
        self.state = State({}, 0)
        # Called with each document that is written.
        self.on_write: Callable[[str, Document], None] = lambda _, __: None

    def put(self, collection: str, documents: Sequence[Document], prepare: Prepare) -> Change:
        latest = {document.id: document for document in documents}
        versions = [
            Version(seq, deepcopy(document)) for seq, document in enumerate(latest.values(), self.state.last + 1)
        ]
        rows = [Row(collection, version) for version in versions]
        return self._write(collection, rows, self.seqs_of(collection, list(latest)).values(), prepare)

    def delete(self, collection: str, ids: Sequence[str], prepare: Prepare) -> Change:
        return self._write(collection, (), self.seqs_of(collection, ids).values(), prepare)

    def delete_matching(self, collection: str, tree: Filter, prepare: Prepare) -> Change:
        return self._write(collection, (), self.passing(collection, tree).tolist(), prepare)

    def delete_versions(self, collection: str, seqs: Sequence[int], prepare: Prepare) -> Change:
        return self._write(collection, (), set(seqs).intersection(self.live_in(collection).tolist()), prepare)

    def delete_collection(self, collection: str, prepare: Prepare) -> Change:
        return self._write(collection, (), self.live_in(collection).tolist(), prepare)

    def get(self, collection: str, identity: str) -> Version | None:
        return self.current(collection, [identity]).get(identity)

    def current(self, collection: str, ids: Sequence[str]) -> dict[str, Version]:
        versions = {row.version.document.id: row.version for row in self.state.live(collection)}
        return {identity: versions[identity] for identity in ids if identity in versions}

    def seqs_of(self, collection: str, ids: Sequence[str]) -> dict[str, int]:
        return {identity: version.seq for identity, version in self.current(collection, ids).items()}

    def with_text(self, texts: Sequence[str]) -> dict[str, list[int]]:
        seqs: dict[str, list[int]] = {}
        for row in self.state.rows.values():
            if row.version.document.text in texts:
                seqs.setdefault(row.version.document.text, []).append(row.version.seq)
        return seqs

    def page(self, collection: str, after: int, limit: int) -> list[Version]:
        return [row.version for row in self.state.live(collection) if row.version.seq > after][:limit]

    def fetch(self, seqs: Sequence[int]) -> dict[int, Document]:
        rows = self.state.rows
        return {seq: rows[seq].version.document for seq in seqs if seq in rows}

    def meeting(self, collection: str, condition: Condition, after: int = 0) -> Seqs:
        return _seqs(
            row.version.seq
            for row in self.state.rows.values()
            if row.collection == collection
            and row.version.seq > after
            and meets(attributes(row.version.document.metadata), condition)
        )

    def passing(self, collection: str, tree: Filter) -> Seqs:
        live = self.live_in(collection)
        return live[evaluate(tree, lambda leaf: np.isin(live, self.meeting(collection, leaf)))]

    def count_values(self, collection: str, key: str, among: Seqs, limit: int) -> list[ValueCount]:
        rows = [self.state.rows[seq] for seq in among.tolist() if seq in self.state.rows]
        metadata = [row.version.document.metadata for row in rows if row.collection == collection]
        return most_frequent(metadata, key, limit)

    def sample(self, count: int) -> list[str]:
        texts = [row.version.document.text for row in self.state.live()]
        return texts[:: max(1, len(texts) // count)][:count]

    def live_in(self, collection: str) -> Seqs:
        return _seqs(row.version.seq for row in self.state.live(collection))

    def live(self, after: int = 0) -> dict[str, Seqs]:
        seqs: dict[str, list[int]] = {}
        for row in self.state.live():
            if row.version.seq > after:
                seqs.setdefault(row.collection, []).append(row.version.seq)
        return {collection: _seqs(ascending) for collection, ascending in seqs.items()}

    def count_after(self, collection: str, seq: int) -> int:
        return sum(row.version.seq > seq for row in self.state.live(collection))

    def collections(self) -> dict[str, int]:
        return dict(sorted(Counter(row.collection for row in self.state.live()).items()))

    def last_written(self) -> dict[str, datetime | None]:
        return {name: self.state.written[name] for name in self.collections()}

    def last_seq(self) -> int:
        return self.state.last

    def reserve(self, seq: int) -> int:
        before = self.state.last
        self.state = replace(self.state, last=max(before, seq))
        return before

    def dead_of(self, collection: str) -> list[int]:
        return [seq for seq, row in self.state.rows.items() if row.dead and row.collection == collection]

    def dead(self, limit: int) -> list[int]:
        return [seq for seq, row in self.state.rows.items() if row.dead][:limit]

    def purge(self, seqs: Sequence[int]) -> None:
        rows = {seq: row for seq, row in self.state.rows.items() if not (row.dead and seq in seqs)}
        self.state = replace(self.state, rows=rows)

    def _write(self, collection: str, rows: Sequence[Row], died: Iterable[int], prepare: Prepare) -> Change:
        added = {row.version.seq: row for row in rows}
        change = Change(collection, self.state.last, tuple(added), tuple(sorted(died)))
        prepare(change)
        dead = {seq: replace(self.state.rows[seq], dead=True) for seq in change.died}
        written = {collection: datetime.now(UTC)} if added or dead else {}
        self.state = State(
            {**self.state.rows, **dead, **added}, self.state.last + len(added), {**self.state.written, **written}
        )
        for row in rows:
            self.on_write(collection, row.version.document)
        return change


def _seqs(numbers: Iterable[int]) -> Seqs:
    return np.fromiter(numbers, dtype=np.int64)
