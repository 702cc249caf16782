"""From a base and judgements to tuned weights: claim the folder, mine, make rows, train. It can be resumed.

The folder holds `run.json`, which identifies the recipe, data and models of the run, `budget.json` if its time is
limited, and `states/` to resume from. At the end it holds `tuned.safetensors` in place of the states.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import JsonValue, ValidationError
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import set_seed

from service.machine import files
from trainer import base_model
from trainer.base_model import Model
from trainer.data import fetching
from trainer.data.dataset import SPLITS, Dataset
from trainer.errors import BadData
from trainer.prepare import mining, reranking, rows, splits
from trainer.prepare.mining import Mined
from trainer.prepare.rows import Rows
from trainer.progress import say
from trainer.recipe import LossName
from trainer.train import budget as budgets
from trainer.train import dev_corpus, losses, merging, modes, plan, reranker, run_folder, training, tuned_weights
from trainer.train import schedule as schedules
from trainer.train.budget import Fit
from trainer.train.forecast import Forecast
from trainer.train.merging import Ends
from trainer.train.plan import ComputedIn
from trainer.train.ranking_evaluator import Evaluator, RankingEvaluator
from trainer.train.run_folder import DATA, FIT, TUNED
from trainer.train.schedule import Proof, Schedule
from trainer.train.start import Start
from trainer.train.states import States
from trainer.train.training import Material

# Bad documents for each good one, for losses that have no others to compare with.
_LABELLED = 3


@dataclass(frozen=True)
class Tuned:
    """`model` has the modules of the result. `ends` are its weights before and after training.

    `dev` measured it meanwhile. `decisions` records what was decided for the training, and why. `passes` over the rows
    are those that fitted into a limited time (None: it was not limited).
    """

    model: Model
    ends: Ends
    dev: Evaluator
    decisions: dict[str, JsonValue]
    passes: float | None = None


def tune(
    start: Start,
    dataset: Dataset,
    folder: Path,
    *,
    resume: bool,
    quiet: bool,
    schedule: Schedule | None = None,
    passes: float | None = None,
) -> Tuned:
    """Train on the split train and choose on dev. With `resume`, go on where an earlier call in `folder` stopped.

    The model is the first of the run that `schedule` has, and says how long this takes, or makes no more passes over
    the rows than fit into its time. Without one nothing is said; `passes` are made in place of the recipe's. Raises
    BadData if the data, the base, the folder or the time does not allow it, Interrupted after Ctrl-C, and DiskFull.
    """
    recipe = start.recipe
    _require_splits(dataset)
    name, why = losses.choose(recipe.loss, dataset, recipe.kind)
    budget = schedule.budget if schedule else None
    identity = _identity(start, dataset, {"budget": budget, "passes": passes})
    begins = run_folder.begins(folder, identity, resume=resume)
    # A resumed training keeps its passes, and one that is finished takes no time.
    known = not begins and any((folder / file).is_file() for file in (FIT, TUNED))
    proof = None if known else _proof(start, dataset, schedule, quiet=quiet)
    with _claimed(folder, identity, begins=begins):
        material, mined = _material(start, dataset, name, why, quiet=quiet)
        ndcg_of_base = material.dev.ndcg(start.reader) if start.ranks_as_base else None
        if ndcg_of_base is not None:
            say(f"nDCG@10 on dev before training: {ndcg_of_base:.4f}", quiet=quiet)
        fit = None if budget is None else _fit(proof, start, name, material, folder)
        model = _prepared(start)
        trained = not begins and (folder / TUNED).is_file()
        loss = None if trained else _loss(name, model, start, weighted=bool(material.rows.weights))
    if fit is not None:
        files.replace_file(folder / FIT, fit.model_dump_json())
        passes = fit.passes
        say(fit.prospect, quiet=quiet)
    if passes is not None:
        recipe = recipe.model_copy(update={"epochs": passes})
    scores = None
    if loss is not None:
        told = [] if proof is None or fit else [_forecast(proof, material)]
        states = States(folder / "states", not begins)
        scores = training.train(model, loss, material, recipe, states, quiet=quiet, callbacks=told)
    modes.finish(model)
    if scores is not None:
        if fit is not None:
            say(budgets.more(fit, scores), quiet=quiet)
        known_share = 1.0 not in start.later_shares
        tuned_weights.write(folder / TUNED, merging.weights(model), max(scores.values()) if known_share else None)
        # The states are three times as large as the weights, and no longer needed.
        shutil.rmtree(folder / "states")
    decisions: dict[str, Any] = {"loss": name, "loss_because": why, "rows": len(material.rows)}
    decisions |= {"mined_negatives": mined} | vars(plan.decide(recipe, material.rows, plan.shape(model)))
    return Tuned(model, _ends(start, folder / TUNED, model.device, ndcg_of_base), material.dev, decisions, passes)


@contextmanager
def _claimed(folder: Path, identity: Mapping[str, str], *, begins: bool) -> Iterator[None]:
    """Claim the folder for a run that begins, unless the block, which prepares it, raises BadData.

    A former run stays until nothing can be refused any more, and so does the data that was fetched before. A folder
    without either is claimed at once, so that the new run can be resumed from the beginning; with data that waits for
    it, it can be without a claim.
    """
    waits = begins and (run_folder.holds_run(folder) or fetching.incoming(folder / DATA).exists())
    claims = begins and not waits
    if claims:
        run_folder.begin(folder, identity)
    try:
        yield
    except BadData:
        if claims:
            run_folder.release(folder)
        raise
    if waits:
        run_folder.begin(folder, identity)


def _identity(start: Start, dataset: Dataset, limits: Mapping[str, float | None]) -> dict[str, str]:
    """The facts that a run has to share with the one that it goes on with."""
    identity = {"recipe": start.recipe.digest, "data": dataset.digest} | start.identity
    return identity | {limit: f"{value:g}" for limit, value in limits.items() if value is not None}


def _proof(start: Start, dataset: Dataset, schedule: Schedule | None, *, quiet: bool) -> Proof | None:
    """How long the proof of a run reads; None if nobody wants to know.

    Raises BadData if that leaves no time to train, before the folder is claimed.
    """
    if schedule is None or (schedule.budget is None and quiet):
        return None
    proof = schedules.proof(start, dataset, schedule)
    budgets.require(proof)
    return proof


def _forecast(proof: Proof, material: Material) -> Forecast:
    return Forecast(proof.schedule.spent, proof.rest(material.dev.texts), can_limit=proof.schedule.proven)


def _material(start: Start, dataset: Dataset, name: LossName, why: str, *, quiet: bool) -> tuple[Material, int]:
    """The rows that the model learns from, with dev, and how many hard negatives were mined for it."""
    train_rows, mined = _rows(start, dataset, losses.rows_of(name))
    say(f"{len(train_rows)} rows, {mined} hard negatives mined, loss {name}: {why}", quiet=quiet)
    if train_rows.weights and not losses.uses_weights(name, start.recipe.kind):
        say(f"loss {name} counts all judgements alike, whatever their weights", quiet=quiet)
        train_rows = replace(train_rows, weights=())
    dev = evaluator(start, dataset, dataset.good("dev"), plan.precision(start.recipe))
    return Material(train_rows, dev), mined


def evaluator(
    start: Start, dataset: Dataset, good: Mapping[str, set[str]], precision: ComputedIn, *, whole: bool = False
) -> Evaluator:
    """Measures models of the run's kind by nDCG@10. `good` maps each query to its good documents.

    Of a large corpus a part stands for the `whole`, unless that is asked for.
    """
    if not start.reranks:
        keeps = start.recipe.mode == "query-adapter"
        if not keeps and not whole:
            dataset = dev_corpus.reduced(start.reader, dataset, good, precision, start.recipe.seed)
        return RankingEvaluator(dataset, good, precision, keep_documents=keeps)
    retrieved = reranking.retrieve(start.reader, dataset, sorted(good), start.recipe.candidates, quiet=True)
    return reranker.RerankingEvaluator(dataset, good, retrieved, precision)


def _ends(start: Start, finished: Path, device: torch.device, ndcg_of_base: float | None) -> Ends:
    """The weights before and after the training, on `device`, and what dev has said of them."""
    before = _prepared(start)
    modes.finish(before)
    tuned, ndcg_of_tuned = tuned_weights.read(finished, str(device))
    ndcg = {share: value for share, value in ((0.0, ndcg_of_base), (1.0, ndcg_of_tuned)) if value is not None}
    return Ends(merging.weights(before), tuned, start.reader if start.ranks_as_base else None, ndcg)


def _fit(proof: Proof | None, start: Start, name: LossName, material: Material, folder: Path) -> Fit:
    """The passes over the rows that fit into the time of the run of `proof`.

    A resumed run has no proof, and keeps the passes in its `folder`. Raises BadData if the time is too short.
    """
    if proof is None or proof.schedule.budget is None:
        return _kept(folder)
    # The model that is timed learns a little, so it is another one than that which is trained.
    timed = _prepared(start)
    loss = _loss(name, timed, start, weighted=bool(material.rows.weights))
    with tempfile.TemporaryDirectory(prefix="instar-pace-") as states:
        pace = training.pace(timed, loss, material, start.recipe, Path(states))
    decided = plan.decide(start.recipe, material.rows, plan.shape(timed))
    rest = proof.rest(material.dev.texts)
    return budgets.fit(proof.schedule.budget, pace, len(material.rows), decided, rest, spent=proof.schedule.spent)


def _kept(folder: Path) -> Fit:
    """The passes of the run in `folder`. Raises BadData if that has written them otherwise."""
    try:
        return Fit.model_validate_json((folder / FIT).read_text(encoding="utf-8"))
    except ValidationError as error:
        raise BadData("this run was begun by another version: leave out --resume") from error


def _loss(name: LossName, model: Model, start: Start, *, weighted: bool) -> nn.Module:
    if isinstance(model, SentenceTransformer):
        guide = base_model.load(start.base) if name == "gist" else None
        return losses.build(name, model, guide, start.recipe.matryoshka, weighted=weighted)
    return reranker.build(name, model, weighted=weighted)


def _prepared(start: Start) -> Model:
    """The base model in memory, ready to be trained as the recipe says."""
    return reranker.prepared(start) if start.reranks else _prepared_dense(start)


def _prepared_dense(start: Start) -> SentenceTransformer:
    """The base model in memory with the recipe's prompts and length, ready to be trained in its mode.

    Raises BadData if the recipe would change documents' vectors in the mode query-adapter, which keeps them.
    """
    recipe = start.recipe
    model = base_model.load(start.base)
    if recipe.mode == "query-adapter" and (recipe.document_prompt is not None or recipe.max_length is not None):
        raise BadData("a query adapter leaves documents as they are: leave out --document-prompt and --max-length")
    for side, prompt in (("query", recipe.query_prompt), ("document", recipe.document_prompt)):
        if prompt is not None:
            model.prompts[side] = prompt
    if recipe.max_length is not None:
        model.max_seq_length = recipe.max_length
    # LoRA matrices begin with random numbers.
    set_seed(recipe.seed)
    modes.prepare(model, recipe.mode, recipe.lora_rank)
    return model


def _rows(start: Start, dataset: Dataset, kind: losses.RowKind) -> tuple[Rows, int]:
    """Training rows of the kind that a loss reads, and how many hard negatives were mined for them."""
    recipe = start.recipe
    components = splits.components(dataset)
    usual = _LABELLED if kind == "pairs" or start.reranks else 1
    wanted = 1 if kind == "triplets" else usual if recipe.negatives is None else recipe.negatives
    mined: Mined = {}
    if recipe.mine:
        # The good documents of a query share their hardest negatives, so pairs of both labels need deeper lists.
        depth = recipe.candidates if start.reranks else wanted
        # The order of documents that are far apart does not hang on the last bits.
        with plan.computing(start.reader.device.type, plan.precision(recipe)):
            mined = mining.mine(start.reader, dataset, per_row=depth, margin=recipe.margin)
    count = sum(map(len, mined.values()))
    if kind == "pairs":
        return rows.pairs(dataset, components, mined, negatives=wanted), count
    return rows.tuples(dataset, components, mined, negatives=wanted, seed=recipe.seed), count


def _require_splits(dataset: Dataset) -> None:
    """Raise BadData if there is nothing to train on, or nothing to choose on."""
    for split in SPLITS[:2]:
        if not dataset.good(split):
            raise BadData(
                f"no query with a good document is left for {split}: judge more queries, or choose another --split"
            )
