"""Judged examples in memory: queries, the whole corpus, judgements, and the split of each query.

The canonical form on disk is the layout of BEIR (Thakur et al. 2021): `corpus.jsonl` (`_id`, `title`, `text`),
`queries.jsonl` (`_id`, `text`) and `qrels/{train,dev,test}.tsv` (header, then `query-id`, `corpus-id`, `score`). Four
files are added to that layout. `negatives.tsv` (`query-id`, `corpus-id`) has the documents judged bad. `qrels/weak.tsv`
has weak labels, which nobody judged: they are trained on and never tested on. `qrels/all.tsv` has judgements that are
not split yet. `weights.tsv` (`query-id`, `corpus-id`, `weight`, `source`) has those that a service gave a source.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, Split, Split] = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Document:
    """One chunk of text, with its title in the corpus, which may be empty."""

    text: str
    title: str = ""

    @property
    def passage(self) -> str:
        """The text that is embedded."""
        return f"{self.title} {self.text}".strip()


@dataclass(frozen=True, slots=True)
class Judgement:
    """A document is good or bad for a query, both by id.

    A judgement is `weak` if nobody made it of this document: a model did, or a thumb on an answer is passed on to its
    sources. `weight` is from above 0 to 1, which is the word of a person. `source` is that of a service (person, …).
    """

    query: str
    document: str
    good: bool
    weak: bool = False
    weight: float = 1.0
    source: str = ""

    @property
    def facts(self) -> list[str | bool | float]:
        """Everything in it, without what most judgements do not have."""
        plain = (self.weight, self.source) == (1.0, "")
        return [self.query, self.document, self.good, self.weak, *(() if plain else (self.weight, self.source))]


@dataclass(frozen=True)
class Dataset:
    """Queries and documents by id, and judgements of them, whose ids all resolve.

    `splits` is empty, or has the split of every query that a person judged. `collections` has the collection of each
    query that a service named; nothing is trained on it, so it is no part of the digest.
    """

    queries: Mapping[str, str]
    corpus: Mapping[str, Document]
    judgements: tuple[Judgement, ...]
    splits: Mapping[str, Split] = field(default_factory=dict)
    collections: Mapping[str, str] = field(default_factory=dict)

    def good(self, split: Split | None = None) -> dict[str, set[str]]:
        """Good documents by query, for the queries of the split (None: all that people judged).

        Weak judgements count for the split train alone.
        """
        return self._judged(split, good=True)

    def bad(self, split: Split | None = None) -> dict[str, set[str]]:
        """Documents judged bad by query, for the same queries as `good`."""
        return self._judged(split, good=False)

    @property
    def held_out(self) -> dict[str, set[str]]:
        """Good documents by query for comparing models that were not trained on this set: those of the test split, or
        all where there is no such split."""
        return self.good("test") or self.good()

    def weights(self) -> dict[tuple[str, str], float]:
        """The weight of each pair of a query and a judged document that is below 1; the highest, if there are several.

        Where a good and a bad judgement of a pair differ, `cleaned` has left both out.
        """
        weights: dict[tuple[str, str], float] = {}
        for judgement in self.judgements:
            pair = judgement.query, judgement.document
            weights[pair] = max(weights.get(pair, 0.0), judgement.weight)
        return {pair: weight for pair, weight in weights.items() if weight < 1}

    def with_splits(self, splits: Mapping[str, Split]) -> "Dataset":
        return replace(self, splits=splits)

    def passages(self, ids: Collection[str]) -> list[str]:
        """The texts of these documents as they are embedded, in the order of `ids`."""
        return [self.corpus[document].passage for document in ids]

    @property
    def digest(self) -> str:
        """SHA-256 in hex of all texts, judgements and splits. It does not depend on the order of reading."""
        facts = {
            "queries": dict(self.queries),
            "corpus": {key: [document.title, document.text] for key, document in self.corpus.items()},
            "judgements": sorted(judgement.facts for judgement in self.judgements),
            "splits": dict(self.splits),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def _judged(self, split: Split | None, *, good: bool) -> dict[str, set[str]]:
        documents = defaultdict[str, set[str]](set)
        for judgement in self.judgements:
            if judgement.good == good and self._counts(judgement, split):
                documents[judgement.query].add(judgement.document)
        return dict(documents)

    def _counts(self, judgement: Judgement, split: Split | None) -> bool:
        if judgement.weak:
            return split == "train"
        return split is None or self.splits.get(judgement.query) == split
