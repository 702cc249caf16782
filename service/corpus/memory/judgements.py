"""Judgements in memory."""

from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from service.corpus.base import Document
from service.corpus.errors import too_many_judgements
from service.corpus.judgements import (
    ANY,
    DERIVED,
    SENT,
    JudgedCounts,
    Judgement,
    JudgementFilter,
    Key,
    Outcome,
    Pair,
    Side,
    Source,
)
from service.corpus.memory.documents import MemoryDocuments
from service.corpus.near_duplicates import near_queries
from service.corpus.refusals import unresolved_judgements
from service.corpus.sides import Nodes, Standing, assign, nodes_of, query_node, text_hash, words_of


@dataclass(frozen=True, slots=True)
class _Entry:
    """A judgement, the hash of the text that it is of (None: of the first that the document gets), and its nodes."""

    judgement: Judgement
    text: bytes | None
    nodes: Nodes


class MemoryJudgements:
    """The `Judgements` in memory: `limit` derived ones at most, and as many others."""

    def __init__(self, documents: MemoryDocuments, limit: int) -> None:
        self._documents = documents
        self._limit = limit
        self._revision = 0
        self._entries: dict[Key, _Entry] = {}
        self._sides: dict[bytes, Standing] = {}
        self._sketches = _MemorySketches()
        documents.on_write = self._note_first_text

    def add(self, judgements: Sequence[Judgement], collection: str | None = None) -> Outcome:
        return self._put(judgements, collection, frozenset())

    def replace(
        self, judgements: Sequence[Judgement], collection: str | None = None, sources: Set[Source] = SENT
    ) -> Outcome:
        replaced = self._meeting(JudgementFilter(collection, sources=frozenset(sources)))
        return self._put(judgements, collection, {judgement.key for judgement in replaced})

    def remove(self, conditions: JudgementFilter) -> int:
        keys = {judgement.key for judgement in self._meeting(conditions)}
        self._entries = {key: entry for key, entry in self._entries.items() if key not in keys}
        self._revision += 1
        return len(keys)

    def discard(self, keys: Sequence[Key]) -> int:
        self._revision += 1
        return sum(self._entries.pop(key, None) is not None for key in keys)

    def all(self, conditions: JudgementFilter = ANY) -> list[Judgement]:
        return self._meeting(conditions)

    def page(self, conditions: JudgementFilter, after: Key | None, limit: int) -> list[Judgement]:
        return [judgement for judgement in self._meeting(conditions) if after is None or judgement.key > after][:limit]

    def side_of(self, query: str) -> Side | None:
        side = self._sides.get(query_node(query))
        return None if side == "neither" else side

    def counts(self, conditions: JudgementFilter = ANY) -> tuple[int, int]:
        unresolved = self._meeting(replace(conditions, unresolved=True))
        return len(self._meeting(conditions)), len(unresolved)

    def judged(self) -> JudgedCounts:
        judging = {judgement.pair[:2] for judgement in self._meeting(JudgementFilter(side="judge"))}
        return JudgedCounts(len({key[:2] for key in self._entries}), len(judging))

    def disputed(self, collection: str | None, limit: int) -> list[Pair]:
        people = JudgementFilter(collection, sources=frozenset({"person"}), stale=False)
        said: defaultdict[Pair, list[Judgement]] = defaultdict(list)
        for judgement in self._meeting(people):
            if not self._is_unresolved(judgement):
                said[judgement.pair].append(judgement)
        latest = {
            pair: max(judgement.at.timestamp() if judgement.at else 0.0 for judgement in of_pair)
            for pair, of_pair in said.items()
            if 2 * sum(judgement.good for judgement in of_pair) == len(of_pair)
        }
        return sorted(latest, key=lambda pair: (-latest[pair], pair))[:limit]

    def revision(self) -> int:
        return self._revision

    def _put(self, judgements: Sequence[Judgement], collection: str | None, replaced: Set[Key]) -> Outcome:
        now = datetime.now(UTC).replace(microsecond=0)
        new = {judgement.key: self._entry(judgement, now) for judgement in judgements}
        unresolved = sum(entry.text is None for entry in new.values())
        if collection is not None and new and unresolved == len(new):
            raise unresolved_judgements(collection, judgements)
        former = {key: self._shown(self._entries[key]) for key in new if key in self._entries}
        left = {key: entry for key, entry in self._entries.items() if key not in replaced}
        after = left | {key: self._after(entry) for key, entry in new.items()}
        for kind in {key[3] in DERIVED for key in new}:
            count = sum((key[3] in DERIVED) is kind for key in after)
            if count > self._limit:
                raise too_many_judgements("would be", count, self._limit)
        self._assign(list(new.values()))
        self._entries = after
        self._revision += 1
        judged = self.judged()
        return Outcome(
            judgements=len(after),
            queries=judged.queries,
            judging=judged.judging,
            added=len(new.keys() - former.keys()),
            changed=sum(one.stale or not one.says_like(new[key].judgement) for key, one in former.items()),
            removed=len(replaced - new.keys()),
            unresolved=unresolved,
        )

    def _entry(self, judgement: Judgement, now: datetime) -> _Entry:
        version = self._documents.get(judgement.collection, judgement.document)
        text = None if version is None else version.document.text
        stamped = judgement if judgement.at is not None else judgement.model_copy(update={"at": now})
        return _Entry(stamped, None if text is None else text_hash(text), nodes_of(judgement, text))

    def _after(self, new: _Entry) -> _Entry:
        """The entry that `new` leaves in place of a former one, which stays as it is if it says so already."""
        former = self._entries.get(new.judgement.key)
        if former is None:
            return new
        derived = new.judgement.source in DERIVED
        if former.judgement.says_like(new.judgement) and (derived or not self._shown(former).stale):
            return former
        # Events do not tell of which text they were.
        return replace(new, text=former.text) if derived else new

    def _meeting(self, conditions: JudgementFilter) -> list[Judgement]:
        shown = (self._shown(entry) for _, entry in sorted(self._entries.items()))
        return [
            judgement
            for judgement in shown
            if conditions.collection in (None, judgement.collection)
            and conditions.query in (None, judgement.query)
            and conditions.document in (None, judgement.document)
            and (conditions.sources is None or judgement.source in conditions.sources)
            and conditions.by in (None, judgement.by)
            and (conditions.since is None or (judgement.at is not None and judgement.at >= conditions.since))
            and conditions.side in (None, judgement.side)
            and conditions.stale in (None, judgement.stale)
            and (not conditions.unresolved or self._is_unresolved(judgement))
        ]

    def _shown(self, entry: _Entry) -> Judgement:
        """The judgement with its side and staleness of the moment."""
        version = self._documents.get(entry.judgement.collection, entry.judgement.document)
        stale = version is not None and entry.text is not None and text_hash(version.document.text) != entry.text
        return entry.judgement.model_copy(update={"side": self._side(entry.nodes), "stale": stale})

    def _assign(self, new: Sequence[_Entry]) -> None:
        queries = {
            entry.nodes.query: words_of(entry.judgement.query) for entry in new if entry.nodes.query not in self._sides
        }
        near = near_queries(queries, self._sketches)
        self._sides |= assign([(entry.judgement, entry.nodes) for entry in new], self._sides, near)

    def _side(self, nodes: Nodes) -> Side | None:
        side = self._sides[nodes.query]
        if side == "neither":
            return None
        alike = (entry for entry in self._entries.values() if entry.nodes.query == nodes.query and entry.judgement.good)
        touches_judge = any(self._sides.get(node) == "judge" for entry in alike for node in entry.nodes.good)
        return None if side == "train" and touches_judge else side

    def _note_first_text(self, collection: str, document: Document) -> None:
        for key, entry in self._entries.items():
            if entry.text is None and key[0] == collection and key[2] == document.id:
                self._entries[key] = replace(entry, text=text_hash(document.text))

    def _is_unresolved(self, judgement: Judgement) -> bool:
        return self._documents.get(judgement.collection, judgement.document) is None


class _MemorySketches:
    def __init__(self) -> None:
        self._of_band: defaultdict[bytes, dict[bytes, bytes]] = defaultdict(dict)

    def sharing(self, bands: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
        sketches: dict[bytes, bytes] = {}
        for band in bands:
            sketches |= self._of_band[band]
        return sketches.items()

    def add(self, node: bytes, sketch: bytes, bands: Sequence[bytes]) -> None:
        for band in bands:
            self._of_band[band][node] = sketch
