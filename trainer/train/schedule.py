"""The run that a training is a part of, and what it does beside its trainings.

A large corpus takes longer to read than to learn from: the proof ranks all of it with each model, while dev is measured
on a part (`dev_corpus.py`). So the time of a reading is measured by some documents, before anything takes long.
"""

import time
from dataclasses import dataclass, field

from trainer import reading
from trainer.data.dataset import Dataset
from trainer.train.start import Start


@dataclass(frozen=True)
class Schedule:
    """A run trains so many `models`, of which the first one is packaged.

    If it is `proven`, each model is mixed with its base, and reads the corpus and the `general` set, if there is one.
    `questions` are tested. The run may take `budget` seconds (None: no limit) since it `began`, by the clock for
    performance.
    """

    models: int = 1
    proven: bool = True
    general: Dataset | None = None
    questions: int = 0
    budget: float | None = None
    began: float = field(default_factory=time.perf_counter)

    @property
    def spent(self) -> float:
        """The seconds since the run began."""
        return time.perf_counter() - self.began


@dataclass(frozen=True)
class Rest:
    """The work of a run beside its trainings.

    For each of its `models` it measures dev `measurements` times, or does what takes as long. For all together it reads
    documents for `reading` seconds.
    """

    models: int = 1
    measurements: float = 0
    reading: float = 0


@dataclass(frozen=True)
class Proof:
    """The reading that a run does for its proof. One model reads the corpus of `dataset` in `corpus` seconds, and the
    general set in `general`."""

    start: Start
    dataset: Dataset
    schedule: Schedule
    corpus: float
    general: float

    def rest(self, texts: int = 1) -> Rest:
        """The work that the run has left beside its trainings. A measurement on dev reads so many `texts`.

        The base reads what it has not read yet. Of the shares that are tried on the general set, one is counted.
        """
        start, schedule, models = self.start, self.schedule, self.schedule.models
        if not schedule.proven:
            return Rest(models)
        corpus, general = (self._unread(data) if data else 0 for data in (self.dataset, schedule.general))
        base, shares = corpus * self.corpus + general * self.general, len(start.later_shares)
        if start.reranks:
            return Rest(models, shares + _pairs(start, schedule) / max(1, texts), base)
        # The package is measured on the general set once more, as it loads from its files.
        return Rest(models, shares, base + models * self.corpus + (models + 1) * self.general)

    def _unread(self, dataset: Dataset) -> float:
        """The share of the documents that the base has not read in the precision of the proof."""
        return self.start.reader.unread(_passages(dataset)) / len(dataset.corpus)


def proof(start: Start, dataset: Dataset, schedule: Schedule) -> Proof:
    """Measure how long a model takes to read the corpus of `dataset`, and the general set, by some documents."""
    corpus, general = (
        reading.seconds(start.reader, _passages(data)) if data and schedule.proven else 0
        for data in (dataset, schedule.general)
    )
    return Proof(start, dataset, schedule, corpus, general)


def _pairs(start: Start, schedule: Schedule) -> int:
    """The pairs of question and document that rerankers read for the proof.

    The tuned one reads the candidates of two rankings, and the base those of one. Both read the general set to choose a
    share, and to be compared. A new head has no base, and no choice.
    """
    forgotten = len(schedule.general.held_out) if schedule.general else 0
    lists = 2 * schedule.questions + forgotten
    if not start.new_head:
        lists += schedule.questions + 3 * forgotten
    return lists * start.recipe.candidates


def _passages(dataset: Dataset) -> list[str]:
    return dataset.passages(sorted(dataset.corpus))
