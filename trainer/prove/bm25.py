"""BM25 over the whole corpus: the baseline that shows what plain words find.

`bm25s` runs with its defaults (Lucene's variant, k1 1.5, b 0.75; Lù 2024), without stemming and stop words. Words are
those of the service, which looks up scripts without spaces by pairs of characters, so that it suits any language.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from math import log1p

import bm25s
import numpy as np
from numpy.typing import NDArray

from service.index.keywords.words import is_unspaced, spaced
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
    vocabulary: dict[str, int] = {}
    passages = dataset.passages(sorted(dataset.corpus))
    corpus = [[vocabulary.setdefault(word, len(vocabulary)) for word in _words(passage)] for passage in passages]
    texts_having = np.bincount([word for ids in corpus for word in set(ids)], minlength=len(vocabulary))
    index = bm25s.BM25()
    index.index((corpus, vocabulary), show_progress=False)
    asked = [_words(dataset.queries[query], whole=True) for query in queries]
    scores = np.zeros((len(queries), len(corpus)), np.float32)
    for row, words in zip(scores, asked, strict=True):
        # bm25s cannot score a query that shares no word with the corpus.
        if known := [word for word in words if word in vocabulary]:
            row[:] = index.get_scores(known)

    def rarity(word: str) -> float:
        """The word's inverse document frequency. It is the most that the word adds to a score, because the factor for
        term frequency stays below 1."""
        texts = int(texts_having[vocabulary[word]]) if word in vocabulary else 0
        return log1p((len(corpus) - texts + 0.5) / (texts + 0.5))

    most = [sum(map(rarity, words)) for words in asked]
    return Words(scores, np.maximum(np.array(most, np.float32), _LEAST))


def _words(text: str, *, whole: bool = False) -> list[str]:
    """The words of a text. Neighbours of a script without spaces are a word for each pair, and one for each character.

    With `whole`, as of a query, only a character without such a neighbour is a word by itself. A query's characters on
    both sides of a space are no neighbours, as in the service. A document's are: its lines may end within a word.
    """
    words: list[str] = []
    for chunk in text.split() if whole else [text]:
        for unspaced, run in groupby(spaced(chunk).split(), lambda word: is_unspaced(word[0])):
            characters = list(run)
            pairs = ["".join(pair) for pair in pairwise(characters)] if unspaced else []
            words += pairs if pairs and whole else [*characters, *pairs]
    return words
