"""One training: rows and a loss change the weights of a model, and dev chooses among them. It can be resumed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets.arrow_dataset import Dataset as Table
from safetensors.torch import load_model, save_model
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import EarlyStoppingCallback, PrinterCallback, TrainerCallback, set_seed
from transformers.trainer_callback import ProgressCallback

from service.checkpoints.fingerprint import document_prompt
from trainer.data.dataset import Dataset
from trainer.errors import Interrupted
from trainer.prepare import batches
from trainer.prepare.rows import Rows
from trainer.recipe import Recipe
from trainer.train import plan
from trainer.train.epochs import Epochs
from trainer.train.interruption import interruptible
from trainer.train.modes import routes
from trainer.train.plan import Plan
from trainer.train.ranking_evaluator import RankingEvaluator
from trainer.train.states import States

WEIGHTS = "weights.safetensors"
_METRIC = "eval_cosine_ndcg@10"
# Plain attention needs memory for the square of the length, which is too much for texts of more tokens.
_LONG = 512
# Steps between two evaluations, each of which saves a state. A shorter epoch has one evaluation.
_STEPS_BETWEEN = 500


@dataclass(frozen=True)
class Material:
    """The model learns from `rows`. The dev queries of `dataset`, over its whole corpus, choose among the weights."""

    rows: Rows
    dataset: Dataset


def train(
    model: SentenceTransformer,
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
    decided = plan.decide(recipe, rows, model.max_seq_length)
    state = states.begin()
    set_seed(recipe.seed)
    trainer = _Trainer(
        model=model,
        args=_arguments(model, rows, recipe, decided, states.folder, quiet=quiet),
        train_dataset=_table(rows),
        loss=loss,
        evaluator=RankingEvaluator(material.dataset, material.dataset.good("dev"), decided.precision),
        callbacks=[EarlyStoppingCallback(recipe.patience), *callbacks],
    )
    trainer.remove_callback(PrinterCallback)
    if not quiet:
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(Epochs(_METRIC))
    _set_dropout(model, recipe.dropout)
    with interruptible(trainer) as signals, states.guarded(), _attention(model):
        trainer.train(resume_from_checkpoint=str(state) if state else None)
        # Otherwise the model would keep the training's precision.
        trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    if signals:
        raise Interrupted(f"stopped after step {trainer.state.global_step}: repeat the command with --resume to go on")
    return {str(entry["step"]): entry[_METRIC] for entry in trainer.state.log_history if _METRIC in entry}


class _Trainer(SentenceTransformerTrainer):
    """Saves all weights of the model by name, and loads exactly them.

    sentence-transformers loads a saved folder by its configuration. After the training of an adapter that brought back
    the base model without any warning.
    """

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ARG002
        folder = Path(output_dir or self.args.output_dir or "")
        folder.mkdir(parents=True, exist_ok=True)
        save_model(self.model, str(folder / WEIGHTS))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        load_model(model or self.model, Path(resume_from_checkpoint) / WEIGHTS, strict=True)

    def _load_best_model(self) -> None:
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Add no callback: `ship.card` writes a model card that holds no training rows."""


def _arguments(
    model: SentenceTransformer, rows: Rows, recipe: Recipe, decided: Plan, folder: Path, *, quiet: bool
) -> SentenceTransformerTrainingArguments:
    steps = -(-len(rows) // decided.batch_size)
    steps_between = min(steps, _STEPS_BETWEEN)
    return SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=decided.epochs,
        per_device_train_batch_size=decided.batch_size,
        learning_rate=decided.learning_rate,
        # transformers rounds a share up: the only step of a small run would be a warm-up with rate 0.
        warmup_steps=int(recipe.warmup * steps * decided.epochs),
        bf16=decided.precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        seed=recipe.seed,
        data_seed=recipe.seed,
        batch_sampler=batches.sampler(rows.groups, _lengths(rows)),
        prompts=_prompts(model, rows),
        router_mapping=_routes(rows) if routes(model) else {},
        eval_strategy="steps",
        eval_steps=steps_between,
        save_strategy="steps",
        save_steps=steps_between,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=_METRIC,
        greater_is_better=True,
        logging_steps=steps_between,
        report_to="none",
        disable_tqdm=quiet,
        dataloader_pin_memory=False,
    )


def _set_dropout(model: SentenceTransformer, dropout: float | None) -> None:
    if dropout is not None:
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout


@contextmanager
def _attention(model: SentenceTransformer) -> Iterator[None]:
    """Within the block, short texts on a CPU get plain attention. Its backward pass takes half as long as the fused
    one's."""
    if model.device.type != "cpu" or (model.max_seq_length or plan.UNLIMITED) > _LONG:
        yield
        return
    with sdpa_kernel(SDPBackend.MATH):
        yield


def _table(rows: Rows) -> Table:
    columns: dict[str, Sequence[Any]] = dict(rows.columns)
    return Table.from_dict(columns | {"label": rows.labels} if rows.labels else columns)


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
