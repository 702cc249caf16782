"""Questions by which an index measures how much effort a search takes: a few words that stand together in a document.

They cost no judgement. Questions of users lie among the documents and near none of them, which is harder for a graph
than documents or their sentences are. So few words are as hard as users' questions, or harder, whatever the model and
the documents are (docs/performance.md).
"""

import asyncio
from bisect import bisect_left
from concurrent.futures import wait
from itertools import accumulate

import numpy as np

from service.corpus.base import Documents, Seqs
from service.index.base import GivenUp, IsGivenUp, Questions
from service.index.keywords.words import is_unspaced, origins
from service.machine.arrays import Vectors
from service.models.base import ServedModel
from service.models.encoding import Encoding

# Words of a question. Two characters of a script without spaces count as one.
_WORDS = 4
# Characters of a document that words are taken from. They begin anywhere in it.
_READ = 400
# Seconds between two looks at whether somebody still waits.
_PAUSE = 0.1


class QuestionMaker:
    """Makes questions of documents and embeds them."""

    def __init__(self, documents: Documents, encoding: Encoding) -> None:
        self._documents = documents
        self._encoding = encoding

    def by(self, encoder: ServedModel) -> Questions:
        """Return what makes questions and embeds them by `encoder`, to be called on a thread of its own.

        To be called on the event loop, which embeds them in the bulk lane.
        """
        loop = asyncio.get_running_loop()

        def ask(seqs: Seqs, given_up: IsGivenUp) -> Vectors:
            texts = [document.text for document in self._documents.fetch(seqs.tolist()).values()]
            pick = np.random.default_rng(0)
            questions = [question for text in texts if (question := taken_from(text, pick))]
            embed = self._encoding.embed(encoder, questions, side="query", lane="bulk", patient=True)
            vectors = asyncio.run_coroutine_threadsafe(embed, loop)
            while not wait([vectors], _PAUSE).done:
                if given_up():
                    vectors.cancel()
                    raise GivenUp
            return vectors.result()

        return ask


def taken_from(text: str, pick: np.random.Generator) -> str:
    """Return a few words that stand together in the text; all that it has if they are fewer, perhaps none."""
    begin = int(pick.integers(max(1, len(text) - _READ + 1)))
    part = text[begin : begin + _READ]
    words = origins(part)
    if not words:
        return ""
    # How many words there are up to each of them, and with it.
    ends = list(accumulate(0.5 if is_unspaced(word[0]) else 1.0 for word, _, _ in words))
    starts = [0.0, *ends[:-1]]
    suitable = [index for index, start in enumerate(starts) if start + _WORDS <= ends[-1]] or [0]
    first = suitable[pick.integers(len(suitable))]
    last = min(bisect_left(ends, starts[first] + _WORDS), len(words) - 1)
    return part[words[first][1] : words[last][2]]
