"""Questions on a map: each in the middle of the documents that are nearest to it by the generation's model."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import numpy as np

from service.corpus.base import Seqs
from service.generations.generation import Generation
from service.generations.maps.map_folder import Map, PlacedQuestions
from service.generations.maps.material import rows_of
from service.machine.arrays import Vectors
from service.machine.priority import at_lowest_priority
from service.machine.threads import run_to_completion
from service.models.encoding import Encoding

# Documents that a search shows: a question is answered if a good one is among them.
K = 10
# The most questions on a map.
MOST = 2000
_PORTION = 64
_HASH_BYTES = 16


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and the documents that are known to answer it; None: nobody has judged any.

    `searches` counts how often users have asked it lately, 0 if that is not counted.
    """

    text: str
    collection: str
    good: Seqs | None
    searches: int = 0


# Returns the questions to show on the map of a generation. It reads the corpus: call it on a thread.
Questions = Callable[[Generation], Sequence[Question]]


@dataclass(frozen=True, slots=True)
class ShownQuestion:
    """A question at its place. `first_good` is the rank, from 1, of the first good document among the nearest ones."""

    question: Question
    position: tuple[float, float]
    first_good: int | None


async def place(
    questions: Sequence[Question], generation: Generation, encoding: Encoding, seqs: Seqs, positions: Vectors
) -> PlacedQuestions:
    """Place the questions at the medians of those of their nearest documents that are on the map.

    The map has the ascending documents `seqs` (n,) at `positions` (n, 2). A question of whose documents it has none is
    left out.
    """
    hashes, places, nearest = [], [], []
    for portion in _portions(questions[:MOST]):
        texts = [question.text for question in portion]
        vectors = await encoding.embed(generation.encoder, texts, "query", "bulk", patient=True)
        search = partial(generation.index.view(portion[0].collection).search, vectors, K, None)
        ranked = await run_to_completion(partial(at_lowest_priority, search))
        for question, (ranking, _) in zip(portion, ranked, strict=True):
            rows = rows_of(seqs, ranking.tolist())
            if len(rows):
                hashes.append(_hash(question))
                places.append(np.median(positions[rows], axis=0))
                nearest.append(np.pad(ranking, (0, K - len(ranking))))
    return PlacedQuestions(
        np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, _HASH_BYTES),
        np.array(places, np.float32).reshape(-1, 2),
        np.array(nearest, np.int64).reshape(-1, K),
    )


def shown(questions: Sequence[Question], drawn: Map) -> list[ShownQuestion]:
    """Return those of the questions that are on the map, in their order."""
    rows: Mapping[bytes, int] = {value.tobytes(): row for row, value in enumerate(drawn.questions.hashes)}
    placed = ((question, rows.get(_hash(question))) for question in questions)
    return [_shown(question, drawn.questions, row) for question, row in placed if row is not None]


def _shown(question: Question, placed: PlacedQuestions, row: int) -> ShownQuestion:
    good = set(() if question.good is None else question.good.tolist())
    ranks = (rank for rank, seq in enumerate(placed.nearest[row].tolist(), 1) if seq in good)
    x, y = placed.positions[row].tolist()
    return ShownQuestion(question, (x, y), next(ranks, None))


def _hash(question: Question) -> bytes:
    named = f"{question.collection}\0{question.text}"
    return hashlib.sha256(named.encode()).digest()[:_HASH_BYTES]


def _portions(questions: Sequence[Question]) -> Iterator[Sequence[Question]]:
    """Divide questions, which have those of a collection beside each other, into portions of one collection each."""
    for _, group in groupby(questions, lambda question: question.collection):
        of_collection = list(group)
        for start in range(0, len(of_collection), _PORTION):
            yield of_collection[start : start + _PORTION]
