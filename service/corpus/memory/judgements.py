"""Judgements in memory."""

from collections.abc import Sequence

from service.corpus.base import Judgement, JudgementFilter, Key, Outcome
from service.corpus.errors import too_many_judgements
from service.corpus.memory.documents import MemoryDocuments
from service.corpus.refusals import unresolved_judgements


class MemoryJudgements:
    """The `Judgements` in memory, `limit` of them at most."""

    def __init__(self, documents: MemoryDocuments, limit: int) -> None:
        self._documents = documents
        self._limit = limit
        self._judgements: dict[Key, Judgement] = {}

    def add(self, judgements: Sequence[Judgement], collection: str | None = None) -> Outcome:
        return self._put(judgements, collection, replacing=False)

    def replace(self, judgements: Sequence[Judgement], collection: str | None = None) -> Outcome:
        return self._put(judgements, collection, replacing=True)

    def remove(self, conditions: JudgementFilter) -> int:
        keys = {judgement.key for judgement in self._meeting(conditions)}
        self._judgements = {key: judgement for key, judgement in self._judgements.items() if key not in keys}
        return len(keys)

    def all(self) -> list[Judgement]:
        return self._meeting(JudgementFilter())

    def page(self, conditions: JudgementFilter, after: Key | None, limit: int) -> list[Judgement]:
        return [judgement for judgement in self._meeting(conditions) if after is None or judgement.key > after][:limit]

    def counts(self) -> tuple[int, int]:
        return len(self._judgements), len(self._meeting(JudgementFilter(unresolved=True)))

    def _put(self, judgements: Sequence[Judgement], collection: str | None, *, replacing: bool) -> Outcome:
        new = {judgement.key: judgement for judgement in judgements}
        unresolved = sum(self._is_unresolved(judgement) for judgement in new.values())
        if collection is not None and new and unresolved == len(new):
            raise unresolved_judgements(collection, judgements)
        former = {judgement.key: judgement for judgement in self._meeting(JudgementFilter(collection))}
        removed = former.keys() - new.keys() if replacing else set()
        after = {key: judgement for key, judgement in {**self._judgements, **new}.items() if key not in removed}
        if len(after) > self._limit:
            raise too_many_judgements("would be", len(after), self._limit)
        self._judgements = after
        return Outcome(
            judgements=len(after),
            queries=len({key[:2] for key in after}),
            added=len(new.keys() - former.keys()),
            changed=sum(key in former and former[key] != judgement for key, judgement in new.items()),
            removed=len(removed),
            unresolved=unresolved,
        )

    def _meeting(self, conditions: JudgementFilter) -> list[Judgement]:
        return [
            judgement
            for _, judgement in sorted(self._judgements.items())
            if conditions.collection in (None, judgement.collection)
            and conditions.query in (None, judgement.query)
            and conditions.document in (None, judgement.document)
            and (not conditions.unresolved or self._is_unresolved(judgement))
        ]

    def _is_unresolved(self, judgement: Judgement) -> bool:
        return self._documents.get(judgement.collection, judgement.document) is None
