"""From a base and judgements to tuned weights: claim the folder, mine, make rows, train. It can be resumed.

The folder holds `run.json`, which identifies the recipe, data and models of the run, `budget.json` if its time is
limited, and `states/` to resume from. At the end it holds `tuned.safetensors` in place of the states.
"""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import JsonValue
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import set_seed

from trainer import base_model
from trainer.base_model import Model
from trainer.data.dataset import SPLITS, Dataset
from trainer.errors import BadData
from trainer.prepare import mining, reranking, rows, splits
from trainer.prepare.mining import Mined
from trainer.prepare.rows import Rows
from trainer.progress import say
from trainer.recipe import LossName
from trainer.train import budget as budgets
from trainer.train import dev_corpus, losses, merging, modes, plan, reranker, training, tuned_weights
from trainer.train.budget import Fit
from trainer.train.forecast import Forecast
from trainer.train.merging import Ends
from trainer.train.plan import ComputedIn
from trainer.train.ranking_evaluator import Evaluator, RankingEvaluator
from trainer.train.start import Start
from trainer.train.states import States
from trainer.train.training import Material

_TUNED = "tuned.safetensors"
_RUN = "run.json"
_FIT = "budget.json"
# Bad documents for each good one, for losses that have no others to compare with.
_LABELLED = 3
# The folder with the data that was fetched for the run, which comes before the run and outlives it.
DATA = "data"


@dataclass(frozen=True)
class Tuned:
    """`model` has the modules of the result. `ends` are its weights before and after training.

    `dev` measured it meanwhile. `decisions` records what was decided for the training, and why.
    """

    model: Model
    ends: Ends
    dev: Evaluator
    decisions: dict[str, JsonValue]


def tune(
    start: Start,
    dataset: Dataset,
    folder: Path,
    *,
    resume: bool,
    quiet: bool,
    budget: float | None = None,
    models: int = 0,
) -> Tuned:
    """Train on the split train and choose on dev. With `resume`, go on where an earlier call in `folder` stopped.

    With a `budget` of seconds it makes no more passes over the rows than fit. Without one it says how long so many
    `models` like this one take (0: nothing). Raises BadData if the data, the base or the folder does not allow it,
    Interrupted after Ctrl-C, and DiskFull.
    """
    recipe, began = start.recipe, time.perf_counter()
    _require_splits(dataset)
    name, why = losses.choose(recipe.loss, dataset, recipe.kind)
    identity = {"recipe": recipe.digest, "data": dataset.digest} | start.identity
    _claim(folder, identity if budget is None else identity | {"budget": f"{budget:g}"}, resume=resume)
    train_rows, mined = _rows(start, dataset, losses.rows_of(name))
    say(f"{len(train_rows)} rows, {mined} hard negatives mined, loss {name}: {why}", quiet=quiet)
    if train_rows.weights and not losses.uses_weights(name, recipe.kind):
        say(f"loss {name} counts all judgements alike, whatever their weights", quiet=quiet)
        train_rows = replace(train_rows, weights=())
    material = Material(train_rows, evaluator(start, dataset, dataset.good("dev"), plan.precision(recipe)))
    ndcg_of_base = material.dev.ndcg(start.reader) if start.ranks_as_base else None
    if ndcg_of_base is not None:
        say(f"nDCG@10 on dev before training: {ndcg_of_base:.4f}", quiet=quiet)
    fit = None if budget is None else _fit(began + budget, start, name, material, folder)
    if fit is not None:
        recipe = recipe.model_copy(update={"epochs": fit.passes})
        say(fit.prospect, quiet=quiet)
    model = _prepared(start)
    finished = folder / _TUNED
    if not (resume and finished.is_file()):
        states = States(folder / "states", resume)
        loss = _loss(name, model, start, weighted=bool(train_rows.weights))
        told = models > 0 and fit is None and not quiet
        # The corpus is read for each share, and for the proof.
        forecast = [Forecast(models, time.perf_counter() - began, len(start.later_shares) + 1)] if told else []
        scores = training.train(model, loss, material, recipe, states, quiet=quiet, callbacks=forecast)
        if fit is not None:
            say(budgets.more(fit, scores), quiet=quiet)
        modes.finish(model)
        known = 1.0 not in start.later_shares
        tuned_weights.write(finished, merging.weights(model), max(scores.values()) if known else None)
        # The states are three times as large as the weights, and no longer needed.
        shutil.rmtree(states.folder)
    else:
        modes.finish(model)
    decisions: dict[str, JsonValue] = {
        "loss": name,
        "loss_because": why,
        "rows": len(train_rows),
        "mined_negatives": mined,
    }
    decisions |= vars(plan.decide(recipe, train_rows, plan.shape(model)))
    return Tuned(model, _ends(start, finished, model.device, ndcg_of_base), material.dev, decisions)


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


def _fit(end: float, start: Start, name: LossName, material: Material, folder: Path) -> Fit:
    """The passes over the rows that fit before `end`, by the clock for performance. A resumed run keeps its passes."""
    kept = folder / _FIT
    if kept.is_file():
        return Fit.model_validate_json(kept.read_text(encoding="utf-8"))
    # The model that is timed learns a little, so it is another one than that which is trained.
    timed = _prepared(start)
    loss = _loss(name, timed, start, weighted=bool(material.rows.weights))
    pace = training.pace(timed, loss, material, start.recipe, folder / "states")
    decided = plan.decide(start.recipe, material.rows, plan.shape(timed))
    fit = budgets.fit(end - time.perf_counter(), pace, len(material.rows), decided, len(start.later_shares))
    kept.write_text(fit.model_dump_json(), encoding="utf-8")
    return fit


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


def _claim(folder: Path, identity: dict[str, str], *, resume: bool) -> None:
    """Claim `folder` for a run of this identity. The data that was fetched for it may be there.

    With `resume`, a run of this identity must be there, or that data alone. Without it, an earlier run is deleted.
    Raises BadData if that is not so, or if the folder holds other files.
    """
    note = folder / _RUN
    former: Any = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else None
    files_of_run = [path for path in folder.iterdir() if path.name != DATA] if folder.exists() else []
    begins = former is None and not files_of_run and (folder / DATA).exists()
    if resume and former is None and not begins:
        raise BadData(f"there is no run in {folder} to resume: leave out --resume")
    if resume and not begins and former != identity:
        changed = ", ".join(key for key in identity if former.get(key) != identity[key])
        raise BadData(f"the run in {folder} had another {changed}: give what it had, or leave out --resume")
    if not resume or begins:
        if former is None and files_of_run:
            raise BadData(f"{folder} holds files of something else than a run: name another folder with --work")
        for path in files_of_run:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps(identity), encoding="utf-8")
