"""Questions made of documents, as the service makes them to set the effort of a graph."""

from collections.abc import Sequence

import numpy as np

from benchmarks import base, lanes
from service.generations.questions import taken_from
from service.machine.arrays import Vectors

_ASKED = 200


def questions_of(texts: Sequence[str], seed: int = 0) -> Vectors:
    """Unit vectors of questions that are made of some of the `texts`, by the base model."""
    pick = np.random.default_rng(seed)
    some = pick.permutation(len(texts))[:_ASKED].tolist()
    questions = [question for number in some if (question := taken_from(texts[number], pick))]
    with lanes.running(base.folder()) as (encoder, scheduler):
        items = encoder.prepare(questions, "query")
        return encoder.finish(scheduler.submit(encoder, items, "bulk").result())
