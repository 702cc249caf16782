"""BM25 over the same corpus: what plain words would find, the column that keeps embeddings honest.

`bm25s` with its defaults (Lucene's variant, k1 1.5, b 0.75; Lù 2024), no stemming and no stop words, so that it suits
any language with spaces.
"""

from collections.abc import Sequence

import bm25s
import numpy as np

from trainer.data.dataset import Dataset
from trainer.ranked import Ranked, by_scores


def rank(dataset: Dataset, queries: Sequence[str]) -> Ranked:
    """Rank the whole corpus for each of `queries`."""
    corpus = bm25s.tokenize(dataset.passages(sorted(dataset.corpus)), stopwords=None, show_progress=False)
    index = bm25s.BM25()
    index.index(corpus, show_progress=False)
    asked = bm25s.tokenize(
        [dataset.queries[query] for query in queries], stopwords=None, return_ids=False, show_progress=False
    )
    scores = np.stack([index.get_scores([word for word in words if word in corpus.vocab]) for words in asked])
    return by_scores(scores, dataset, queries)
