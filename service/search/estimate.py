"""Estimates the balance of a collection without judgements: by which part finds the sources of weak questions.

Both parts get their nDCG@10. The odds of the weights are 1.75 times the square of the odds of these figures. Both
numbers were chosen on 13 sets and 4 models, and held on 7 sets that were kept aside (docs/performance.md).
"""

import asyncio
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from service.corpus.base import Documents
from service.generations.generation import Generation
from service.index.base import VectorIndex
from service.index.keywords import bm25
from service.index.keywords.base import Keywords
from service.machine.arrays import Vectors
from service.machine.priority import at_lowest_priority
from service.machine.threads import run_to_completion
from service.models.encoding import Encoding
from service.search.fusion import Scored
from service.search.retrieval import Retrieval, SearchSpec
from service.search.weak_questions import WeakQuestion, made_of

# Questions that are asked, at least and at most, and documents that are looked at for them.
_LEAST, _MOST, _SAMPLED = 50, 200, 800
# Questions that are encoded and searched at a time.
_PORTION = 25
# Results that count.
_K = 10
_FACTOR, _POWER = 1.75, 2.0
# Added to both figures, because a part that finds nothing of all questions still finds something.
_SMOOTHING = 0.02
# Below this sum of both figures, the questions say nothing.
_NOTHING = 0.05
# Neither part is left out, however bad it is.
_LOWEST, _HIGHEST = 0.1, 0.8


@dataclass(frozen=True, slots=True)
class Estimate:
    """The share of the weight that is that of the part by vector, and the number of questions that say so."""

    share: float
    questions: int


class Estimator:
    """Asks weak questions, in the bulk lane and at the lowest priority. It changes nothing."""

    def __init__(self, documents: Documents, keywords: Keywords, retrieval: Retrieval, encoding: Encoding) -> None:
        self._documents = documents
        self._keywords = keywords
        self._retrieval = retrieval
        self._encoding = encoding

    async def estimate(self, generation: Generation, collection: str) -> Estimate | None:
        """Estimate the balance of the collection in `generation`; None if its documents make too few questions."""
        questions = await asyncio.to_thread(self._questions, collection)
        if len(questions) < _LEAST:
            return None
        embed = partial(self._encoding.embed, generation.encoder, lane="bulk", patient=True)
        gains: list[tuple[float, float]] = []
        for start in range(0, len(questions), _PORTION):
            portion = questions[start : start + _PORTION]
            vectors = await embed([question.text for question in portion], side="query")
            rests = await embed([question.rest for question in portion], side="document")
            asking = partial(self._gains, generation.index, collection, portion, (vectors * rests).sum(axis=1), vectors)
            gains += await run_to_completion(partial(at_lowest_priority, asking))
        dense, keyword = (sum(of_part) / len(gains) for of_part in zip(*gains, strict=True))
        return None if dense + keyword < _NOTHING else Estimate(share_of(dense, keyword), len(questions))

    def _questions(self, collection: str) -> list[WeakQuestion]:
        seqs = self._documents.live_in(collection)
        sampled = seqs[:: max(1, len(seqs) // _SAMPLED)].tolist()
        documents = self._documents.fetch(sampled)
        return made_of(((seq, documents[seq].text) for seq in _spread(sampled) if seq in documents), _MOST)

    def _gains(
        self,
        index: VectorIndex,
        collection: str,
        questions: Sequence[WeakQuestion],
        cosines: Vectors,
        vectors: Vectors,
    ) -> list[tuple[float, float]]:
        """Return what each part earns by each question. `cosines` (n,) are those of questions and rests."""
        nearest = index.view(collection).search(vectors, _K + 1, None)
        spec = SearchSpec(k=_K + 1, collection=collection, mode="keyword")
        texts = [question.text for question in questions]
        remainders = [self._remainder(question) for question in questions]
        rivals = self._retrieval.keyword_parts(index, texts, spec)
        sources = self._retrieval.keyword_parts(index, [words for words, _ in remainders], spec)
        gains = []
        for row, question in enumerate(questions):
            seqs, scores = nearest[row]
            near = list(zip(seqs.tolist(), scores.tolist(), strict=True))
            score = dict(sources[row][0]).get(question.seq, 0.0) * remainders[row][1]
            by_word = _gain(rivals[row][0], question.seq, score) if score else 0.0
            gains.append((_gain(near, question.seq, float(cosines[row])), by_word))
        return gains

    def _remainder(self, question: WeakQuestion) -> tuple[str, float]:
        """Return the question's words that the rest has, too, and the share of their score that the rest keeps.

        The index has the whole document. Without the question's own words it would have this score, nearly: the words
        of the rest alone count, each as often as it stands there.
        """
        rest, passage = (self._counts(question.text, text) for text in (question.rest, question.passage))
        saturated = sum(map(_saturated, rest.values()))
        whole = sum(_saturated(passage.get(word, count + 1)) for word, count in rest.items())
        return " ".join(rest), saturated / whole if whole else 0.0

    def _counts(self, query: str, text: str) -> Mapping[str, int]:
        (spans,) = self._keywords.highlights(query, [text])
        return Counter(text[start:end].casefold() for start, end in spans)


def share_of(dense: float, keyword: float) -> float:
    """Return the weight of the part by vector, of 1, if the parts have these figures, 0 to 1."""
    odds: float = _FACTOR * ((dense + _SMOOTHING) / (keyword + _SMOOTHING)) ** _POWER
    return min(_HIGHEST, max(_LOWEST, odds / (1 + odds)))


def _gain(rivals: Scored, seq: int, score: float) -> float:
    """Return the nDCG@10 of the source `seq` with that score among its rivals."""
    rank = 1 + sum(rival > score for other, rival in rivals if other != seq)
    return 1 / math.log2(1 + rank) if rank <= _K else 0.0


def _saturated(count: int) -> float:
    return count / (count + bm25.SATURATION)


def _spread(seqs: Sequence[int]) -> list[int]:
    """Return the numbers in another order, so that the first of them are from everywhere."""
    return [seq for start in range(4) for seq in seqs[start::4]]
