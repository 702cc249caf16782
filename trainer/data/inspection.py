"""Inspects a data set as a whole before anything is trained on it, and cleans it.

Texts that differ only in case and spacing count as equal.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from trainer.data.dataset import SPLITS, Dataset, Judgement, Split
from trainer.data.texts import asked, normalised

_EXAMPLES = 5
# Documents that are tokenized at a time.
_BATCH = 1024


@dataclass(frozen=True)
class Leak:
    """How many queries of a split share their words, or the text of a good document, with an earlier split.

    `queries` counts the queries that share either. `of` counts all queries of the split.
    """

    same_query: int
    same_good: int
    queries: int
    of: int


@dataclass(frozen=True)
class Inspection:
    """The findings, as ids. A group has the ids of one text. `counts` has the size of each part of the data.

    `left` counts the queries that keep a good document in the `cleaned` set, by split and under `all`. `too_long` has
    the documents of more than `limit` tokens, of which the model reads the beginning alone; None: nobody counted.
    """

    counts: Mapping[str, int]
    repeated: tuple[Judgement, ...]
    contradictions: tuple[tuple[str, str], ...]
    same_documents: tuple[tuple[str, ...], ...]
    same_queries: tuple[tuple[str, ...], ...]
    unresolved: tuple[str, ...]
    empty: tuple[str, ...]
    leaks: Mapping[Split, Leak]
    too_long: tuple[str, ...] | None
    limit: int | None
    left: Mapping[str, int]

    def facts(self) -> dict[str, JsonValue]:
        """The inspection for programs: counts, and the first ids of each finding."""
        return {
            "counts": dict(self.counts),
            "left": dict(self.left),
            "leaks": {split: dict(vars(leak)) for split, leak in self.leaks.items()},
            "limit": self.limit,
            "findings": {
                what: {"count": len(ids), "examples": list(ids[:_EXAMPLES])} for what, ids in self._findings()
            },
        }

    def table(self) -> str:
        """The inspection for people, as a table."""
        rows = [(what, f"{count:,}", "") for what, count in self.counts.items()]
        rows += [(what, f"{len(ids):,}", ", ".join(ids[:_EXAMPLES])) for what, ids in self._findings()]
        for split, leak in self.leaks.items():
            shares = f"{leak.same_query:,} by their words, {leak.same_good:,} by a good document"
            rows.append((f"{split} queries known from an earlier split", f"{leak.queries:,} of {leak.of:,}", shares))
        rows += [(f"queries left, {split}", f"{count:,}", "") for split, count in self.left.items()]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        return "\n".join(f"{what:<{widths[0]}}  {count:>{widths[1]}}  {more}".rstrip() for what, count, more in rows)

    def _findings(self) -> list[tuple[str, list[str]]]:
        findings = [
            ("repeated judgements", [f"{judgement.query}/{judgement.document}" for judgement in self.repeated]),
            ("good and bad at once", [f"{query}/{document}" for query, document in self.contradictions]),
            ("documents with the same text", ["=".join(ids) for ids in self.same_documents]),
            ("queries with the same text", ["=".join(ids) for ids in self.same_queries]),
            ("ids that do not resolve", list(self.unresolved)),
            ("empty texts", list(self.empty)),
        ]
        if self.too_long is not None:
            findings.append((f"documents longer than {self.limit} tokens", list(self.too_long)))
        return findings


def inspect(
    dataset: Dataset, *, tokens: Callable[[list[str]], list[int]] | None = None, limit: int | None = None
) -> Inspection:
    """Inspect the data. `tokens` counts the tokens of texts as the model does. The model reads `limit` of them."""
    resolved = _resolved(dataset)
    kept = cleaned(dataset)
    left: dict[str, int] = {split: len(kept.good(split)) for split in SPLITS if kept.splits}
    too_long = None
    if tokens is not None and limit is not None:
        too_long = tuple(_longer(dataset, tokens, limit))
    return Inspection(
        counts={
            "documents": len(dataset.corpus),
            "queries": len(dataset.queries),
            "good judgements": sum(judgement.good and not judgement.weak for judgement in dataset.judgements),
            "bad judgements": sum(not judgement.good and not judgement.weak for judgement in dataset.judgements),
            "weak judgements": sum(judgement.weak for judgement in dataset.judgements),
            **_by_source(dataset),
        },
        repeated=tuple(judgement for judgement, times in Counter(dataset.judgements).items() if times > 1),
        contradictions=tuple(dict.fromkeys((bad.query, bad.document) for bad in _contradicting(dataset, resolved))),
        same_documents=_groups((key, document.passage) for key, document in dataset.corpus.items()),
        same_queries=_groups(dataset.queries.items()),
        unresolved=tuple(_unresolved(dataset)),
        empty=tuple(
            [key for key, query in dataset.queries.items() if not query.strip()]
            + [key for key, document in dataset.corpus.items() if not document.passage]
        ),
        leaks={split: leak(dataset, split) for split in SPLITS[1:] if dataset.splits},
        too_long=too_long,
        limit=limit,
        left={**left, "all": len(kept.good())},
    )


def _by_source(dataset: Dataset) -> dict[str, int]:
    """How many judgements each source of a service has; nothing for data that has no sources."""
    counts = Counter(judgement.source for judgement in dataset.judgements if judgement.source)
    return {f"judgements of {source}": count for source, count in sorted(counts.items())}


def leak(dataset: Dataset, split: Split) -> Leak:
    """Count the queries of `split` whose words or answers the splits before it have: for dev train, for test both."""
    before: Sequence[Split] = SPLITS[: SPLITS.index(split)]
    queries, passages = set[str](), set[str]()
    for earlier in before:
        for query, documents in dataset.good(earlier).items():
            queries.add(asked(dataset.queries[query]))
            passages.update(normalised(dataset.corpus[document].passage) for document in documents)
    good = dataset.good(split)
    by_text = {query for query in good if asked(dataset.queries[query]) in queries}
    by_good = {
        query
        for query, documents in good.items()
        if any(normalised(dataset.corpus[document].passage) in passages for document in documents)
    }
    return Leak(len(by_text), len(by_good), len(by_text | by_good), len(good))


def cleaned(dataset: Dataset) -> Dataset:
    """The data with its reliable judgements alone.

    Three kinds of judgements are left out: those of ids that do not resolve, repeated ones, and all that contradict
    each other, because nobody knows which is right. A person's judgement wins over a weak one, though. A text that is
    good for a query is good under each of its ids: otherwise its copies would be mined as hard negatives. The corpus
    keeps such copies, because the corpus that is served has them, too.
    """
    resolved = _resolved(dataset)
    contradicting = set(_contradicting(dataset, resolved))
    copies = {key: group for group in _groups((k, d.passage) for k, d in dataset.corpus.items()) for key in group}
    kept: dict[Judgement, None] = {}
    for judgement in resolved:
        if judgement not in contradicting:
            kept[judgement] = None
    for judgement in list(kept):
        if judgement.good:
            for copy in copies.get(judgement.document, ()):
                kept[replace(judgement, document=copy)] = None
    judged = {judgement.query for judgement in kept if not judgement.weak}
    splits = {query: split for query, split in dataset.splits.items() if query in judged}
    return replace(dataset, judgements=tuple(kept), splits=splits)


def _resolved(dataset: Dataset) -> list[Judgement]:
    queries, corpus = dataset.queries, dataset.corpus
    return [
        judgement for judgement in dataset.judgements if judgement.query in queries and judgement.document in corpus
    ]


def _unresolved(dataset: Dataset) -> Iterable[str]:
    queries = dict.fromkeys(judgement.query for judgement in dataset.judgements)
    documents = dict.fromkeys(judgement.document for judgement in dataset.judgements)
    yield from (query for query in queries if query not in dataset.queries)
    yield from (document for document in documents if document not in dataset.corpus)


def _contradicting(dataset: Dataset, judgements: Collection[Judgement]) -> list[Judgement]:
    """Judgements that another one of equal texts contradicts. A weak judgement never contradicts a person's."""
    verdicts = defaultdict[tuple[str, str], set[tuple[bool, bool]]](set)
    texts = {}
    for judgement in judgements:
        query, document = dataset.queries[judgement.query], dataset.corpus[judgement.document].passage
        texts[judgement] = (normalised(query), normalised(document))
        verdicts[texts[judgement]].add((judgement.good, judgement.weak))

    def contradicted(judgement: Judgement) -> bool:
        others = verdicts[texts[judgement]]
        by_person = (not judgement.good, False) in others
        by_weak = (not judgement.good, True) in others
        settled = any(not weak for _, weak in others)
        return by_person or (judgement.weak and by_weak and not settled)

    return [judgement for judgement in texts if contradicted(judgement)]


def _groups(texts: Iterable[tuple[str, str]]) -> tuple[tuple[str, ...], ...]:
    """The ids of each text that has several."""
    ids = defaultdict[str, list[str]](list)
    for identity, text in texts:
        ids[normalised(text)].append(identity)
    return tuple(tuple(group) for text, group in ids.items() if text and len(group) > 1)


def _longer(dataset: Dataset, tokens: Callable[[list[str]], list[int]], limit: int) -> Iterable[str]:
    ids = list(dataset.corpus)
    for first in range(0, len(ids), _BATCH):
        batch = ids[first : first + _BATCH]
        counts = tokens(dataset.passages(batch))
        yield from (identity for identity, count in zip(batch, counts, strict=True) if count > limit)
