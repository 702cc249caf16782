"""One training: rows and a loss change the weights of a model, and dev chooses among them. It can be resumed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import torch
from datasets.arrow_dataset import Dataset as Table
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import EarlyStoppingCallback, PrinterCallback, TrainerCallback, set_seed
from transformers.trainer_callback import ProgressCallback

from service.checkpoints.fingerprint import document_prompt
from trainer.base_model import Model
from trainer.errors import Interrupted
from trainer.prepare import batches
from trainer.prepare.rows import Rows
from trainer.recipe import Recipe
from trainer.train import attention, measuring, plan, trainers
from trainer.train.budget import Pace
from trainer.train.epochs import Epochs
from trainer.train.interruption import interruptible
from trainer.train.modes import routes
from trainer.train.plan import Plan
from trainer.train.ranking_evaluator import Evaluator
from trainer.train.states import States
from trainer.train.step_clock import StepClock

# Most steps between two evaluations, each of which saves a state.
_STEPS_BETWEEN = 500
# Texts of dev for a row of an epoch. To learn from a row's two texts takes six times as long as to read one, so an
# evaluation of more texts takes over half of the epoch's time.
_READ_FOR_A_ROW = 3
# Steps that are timed, after some in which memory is taken.
_TIMED, _UNTIMED = 6, 2


@dataclass(frozen=True)
class Material:
    """The model learns from `rows`, and `dev` chooses among its weights."""

    rows: Rows
    dev: Evaluator


def train(
    model: Model,
    loss: nn.Module,
    material: Material,
    recipe: Recipe,
    states: States,
    *,
    quiet: bool,
    callbacks: Sequence[TrainerCallback] = (),
) -> dict[str, float]:
    """Train `model` in place. It ends with the weights that ranked best on dev.

    Equal recipes and rows give equal weights, resumed or not. Returns nDCG@10 on dev by step. Raises Interrupted after
    Ctrl-C, when the state is saved, and DiskFull.
    """
    rows = material.rows
    metric = f"eval_{material.dev.metric}"
    decided = plan.decide(recipe, rows, plan.shape(model))
    state = states.begin()
    ended = states.ended(state, recipe.patience) if state else None
    if ended is not None:
        model.load_state_dict(load_file(ended.best / trainers.WEIGHTS))
        return _scores(ended.log, metric)
    set_seed(recipe.seed)
    arguments = _arguments(material, recipe, decided, states.folder, quiet=quiet)
    trainer = trainers.make(
        model,
        arguments | {"metric_for_best_model": metric} | _sides(model, rows),
        train_dataset=_table(rows),
        loss=loss,
        evaluator=material.dev,
        callbacks=[EarlyStoppingCallback(recipe.patience), *callbacks],
    )
    trainer.remove_callback(PrinterCallback)
    if not quiet:
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(Epochs(metric))
    _set_dropout(model, recipe.dropout)
    with interruptible(trainer) as signals, states.guarded(), attention.learning(model, decided.precision):
        trainer.train(resume_from_checkpoint=str(state) if state else None)
        # Otherwise the model would keep the training's precision.
        trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    if signals:
        raise Interrupted(f"stopped after step {trainer.state.global_step}: repeat the command with --resume to go on")
    return _scores(trainer.state.log_history, metric)


def _scores(log: Sequence[dict[str, float]], metric: str) -> dict[str, float]:
    return {str(entry["step"]): entry[metric] for entry in log if metric in entry}


def pace(model: Model, loss: nn.Module, material: Material, recipe: Recipe, folder: Path) -> Pace:
    """How fast `model` trains on this machine. It changes the model, which is of no further use, and uses `folder`."""
    rows = material.rows
    decided = plan.decide(recipe, rows, plan.shape(model))
    began = time.perf_counter()
    ndcg = material.dev.ndcg(model)
    measuring = time.perf_counter() - began
    arguments = _arguments(material, recipe, decided, folder, quiet=True) | {"max_steps": _UNTIMED + _TIMED}
    arguments |= {"eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False}
    clock = StepClock(_UNTIMED)
    trainer = trainers.make(
        model, arguments | _sides(model, rows), train_dataset=_table(rows), loss=loss, callbacks=[clock]
    )
    trainer.remove_callback(PrinterCallback)
    _set_dropout(model, recipe.dropout)
    with attention.learning(model, decided.precision):
        trainer.train()
    return Pace(clock.seconds(), measuring, ndcg, _most_between(material, decided))


def _arguments(material: Material, recipe: Recipe, decided: Plan, folder: Path, *, quiet: bool) -> dict[str, Any]:
    """The arguments of a training of either kind of model."""
    rows = material.rows
    steps = -(-len(rows) // decided.batch_size)
    steps_between = measuring.steps_between(ceil(steps * decided.epochs), _most_between(material, decided))
    return {
        "output_dir": str(folder),
        "num_train_epochs": decided.epochs,
        "per_device_train_batch_size": decided.batch_size,
        "learning_rate": decided.learning_rate,
        # transformers rounds a share up: the only step of a small run would be a warm-up with rate 0.
        "warmup_steps": int(recipe.warmup * steps * decided.epochs),
        "bf16": decided.precision == "bf16",
        "use_cpu": not torch.cuda.is_available(),
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "batch_sampler": batches.sampler(rows.groups, _lengths(rows)),
        "eval_strategy": "steps",
        "eval_steps": steps_between,
        "save_strategy": "steps",
        "save_steps": steps_between,
        "save_total_limit": 2,
        "load_best_model_at_end": True,
        # A resumed training must not begin anew to count the measurements without a gain.
        "restore_callback_states_from_checkpoint": True,
        "greater_is_better": True,
        "logging_steps": steps_between,
        "report_to": "none",
        "disable_tqdm": quiet,
        "dataloader_pin_memory": False,
    }


def _most_between(material: Material, decided: Plan) -> int:
    """The most steps between two evaluations, so that they do not take longer than the training."""
    rows = len(material.rows)
    epochs = max(1, ceil(material.dev.texts / (_READ_FOR_A_ROW * rows)))
    return min(epochs * -(-rows // decided.batch_size), _STEPS_BETWEEN)


def _sides(model: Model, rows: Rows) -> dict[str, Any]:
    """The arguments that tell queries from documents. A cross-encoder reads both as one text."""
    if isinstance(model, SentenceTransformer):
        return {"prompts": _prompts(model, rows), "router_mapping": _routes(rows) if routes(model) else {}}
    return {}


def _set_dropout(model: Model, dropout: float | None) -> None:
    if dropout is not None:
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout


def _table(rows: Rows) -> Table:
    """The rows as a loss reads them.

    A loss gets one number beside the texts: the label, the weight, or both, as a weight with the sign of the label.
    """
    columns: dict[str, Sequence[Any]] = dict(rows.columns)
    numbers = rows.labels or rows.weights
    if rows.labels and rows.weights:
        numbers = [weight if label else -weight for label, weight in zip(rows.labels, rows.weights, strict=True)]
    return Table.from_dict(columns | {"label": numbers} if numbers else columns)


def _lengths(rows: Rows) -> list[int]:
    """The length in characters of the longest document of each row. Rows of similar length share a batch."""
    documents = [texts for name, texts in rows.columns.items() if name != "anchor"]
    return [max(len(texts[row]) for texts in documents) for row in range(len(rows))]


def _prompts(model: SentenceTransformer, rows: Rows) -> dict[str, str]:
    """The model's prompts by column, so that training computes what `encode_query` and `encode_document` do."""
    query, document = model.prompts.get("query") or "", document_prompt(model.prompts)
    return {name: prompt for name in rows.columns if (prompt := query if name == "anchor" else document)}


def _routes(rows: Rows) -> dict[str, str]:
    return {name: "query" if name == "anchor" else "document" for name in rows.columns}
