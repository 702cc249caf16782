"""BM25 over the whole corpus: the baseline that shows what plain words find.

`bm25s` runs with its defaults (Lucene's variant, k1 1.5, b 0.75; Lù 2024), without stemming and stop words, so that it
suits any language with spaces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log1p

import bm25s
import numpy as np
from numpy.typing import NDArray

from trainer.data.dataset import Dataset

# Replaces 0 as the most that a query without words can score, because coverages divide by it.
_LEAST = np.float32(1e-9)


@dataclass(frozen=True)
class Words:
    """`scores` (queries, all documents by id) are 0 or more. `most` (queries) is above 0: no document scores more."""

    scores: NDArray[np.float32]
    most: NDArray[np.float32]

    def coverages(self) -> NDArray[np.float32]:
        """Scores divided by `most`, in [0, 1]. `service.search.fusion` weighs such shares."""
        return self.scores / self.most[:, None]


def score(dataset: Dataset, queries: Sequence[str]) -> Words:
    """Score the whole corpus for each of `queries`."""
    corpus = bm25s.tokenize(dataset.passages(sorted(dataset.corpus)), stopwords=None, show_progress=False)
    index = bm25s.BM25()
    index.index(corpus, show_progress=False)
    tokenized = bm25s.tokenize(
        [dataset.queries[query] for query in queries], stopwords=None, return_ids=False, show_progress=False
    )
    scores = np.zeros((len(queries), len(corpus.ids)), np.float32)
    for row, words in zip(scores, tokenized, strict=True):
        # bm25s cannot score a query that shares no word with the corpus.
        if known := [word for word in words if word in corpus.vocab]:
            row[:] = index.get_scores(known)
    texts_having = np.bincount([word for ids in corpus.ids for word in set(ids)], minlength=len(corpus.vocab))

    def rarity(word: str) -> float:
        """The word's inverse document frequency. It is the most that the word adds to a score, because the factor for
        term frequency stays below 1."""
        texts = int(texts_having[corpus.vocab[word]]) if word in corpus.vocab else 0
        return log1p((len(corpus.ids) - texts + 0.5) / (texts + 0.5))

    most = [sum(map(rarity, words)) for words in tokenized]
    return Words(scores, np.maximum(np.array(most, np.float32), _LEAST))
