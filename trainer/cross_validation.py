"""Cross-validation: the rankings of every judged query by a model that has not seen it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sentence_transformers import SentenceTransformer

from trainer.data.dataset import Dataset
from trainer.progress import say
from trainer.prove import rankings
from trainer.prove.rankings import Rankings
from trainer.train import mixing, run_folder, tuning
from trainer.train.start import Start


@dataclass(frozen=True)
class Training:
    """How the model of each fold is trained: from which models, below which folder, and whether it goes on there.

    `general` limits what a model may forget, by at most `max_general_loss`. Each model makes as many `passes` over its
    rows as the packaged one, for which it stands (None: as many as the recipe says).
    """

    models: Start
    folder: Path
    resume: bool
    general: Dataset | None
    max_general_loss: float
    passes: float | None = None


def rank(training: Training, folds: Sequence[Dataset], *, quiet: bool) -> Rankings:
    """Train a model on each fold's train and dev, and have it rank the corpus for the fold's test queries.

    Raises what `tuning.tune` raises.
    """
    top: dict[str, Sequence[str]] = {}
    ranks: dict[str, Mapping[str, int]] = {}
    for number, fold in enumerate(folds, 1):
        unseen = len(fold.good("test"))
        say(f"model {number + 1} of {len(folds) + 1}: it tests {unseen} questions that it has not seen", quiet=quiet)
        folder = training.folder / f"fold-{number}"
        # A kill may have come before the first of its files was whole.
        resume = training.resume and run_folder.holds_run(folder)
        tuned = tuning.tune(training.models, fold, folder, resume=resume, quiet=quiet, passes=training.passes)
        mixing.mix(tuned, training.models, training.general, training.max_general_loss)
        assert isinstance(tuned.model, SentenceTransformer)  # noqa: S101 (rerankers are tested on one split)
        queries = sorted(fold.good("test"))
        part = rankings.by_cosine(rankings.embed(tuned.model, fold, queries, quiet=quiet), fold, queries)
        top |= part.top
        ranks |= part.ranks
    return Rankings(top, ranks)
