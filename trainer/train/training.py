"""One training run: rows, loss and batches into weights, chosen on dev, and resumed where it was left."""

import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import torch
from datasets.arrow_dataset import Dataset as Table
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_callback import ProgressCallback

from service.checkpoints.checkpoint import document_prompt
from trainer.data.dataset import Dataset
from trainer.errors import DiskFull, Interrupted
from trainer.prepare import batches
from trainer.prepare.rows import Rows
from trainer.progress import Epochs
from trainer.recipe import Mode, Recipe
from trainer.train.modes import routes

WEIGHTS = "weights.safetensors"
_STATE = "trainer_state.json"
_METRIC = "eval_cosine_ndcg@10"
_LEARNING_RATES: dict[Mode, float] = {"full": 2e-5, "lora": 2e-4, "query-adapter": 1e-3}
_UNLIMITED = 1 << 20
# Tokens from which attention's square of the length outgrows the memory that plain attention needs.
_LONG = 512
# Steps between two evaluations and saved states, where an epoch is longer.
_STEPS_BETWEEN = 500
_ROWS_IN_ALL = 12_000
# Of all columns of a batch together: their activations take some 4 GB with all-MiniLM-L6-v2.
_TOKENS_IN_BATCH = 8192
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Plan:
    """What the recipe leaves open, decided by the number of rows and by the processor."""

    batch_size: int
    epochs: int
    learning_rate: float
    precision: Literal["bf16", "fp32"]


def plan(recipe: Recipe, rows: Rows, max_length: int | None) -> Plan:
    """The recipe's own numbers where it has them; otherwise many epochs and small batches for few rows.

    `max_length` is what the model reads of a text, in tokens.
    """
    return Plan(
        batch_size=min(recipe.batch_size or _batch_size(rows, max_length or _UNLIMITED), len(rows)),
        epochs=recipe.epochs or max(3, min(10, -(-_ROWS_IN_ALL // len(rows)))),
        learning_rate=recipe.learning_rate or _LEARNING_RATES[recipe.mode],
        precision=precision(recipe),
    )


def train(
    model: SentenceTransformer,
    loss: nn.Module,
    rows: Rows,
    dataset: Dataset,
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool,
    quiet: bool,
    callbacks: Sequence[TrainerCallback] = (),
) -> dict[str, float]:
    """Train `model` in place; it ends with the weights that ranked best on dev, which may be the first saved ones.

    `folder` holds the states to resume from, the newest that is complete; without `resume` it is emptied. The same
    recipe and rows give the same weights, resumed or not. Returns nDCG@10 on dev by step. Raises Interrupted
    after Ctrl-C, with the state saved, and DiskFull.
    """
    decided = plan(recipe, rows, model.max_seq_length)
    state = _newest(folder) if resume else None
    for rest in folder.glob("*") if state is None else _broken(folder):
        shutil.rmtree(rest)
    set_seed(recipe.seed)
    steps = -(-len(rows) // decided.batch_size)
    every = min(steps, _STEPS_BETWEEN)
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder),
        num_train_epochs=decided.epochs,
        per_device_train_batch_size=decided.batch_size,
        learning_rate=decided.learning_rate,
        # A number and not the share: rounded up, the only step of a small run would be a warm-up with rate 0.
        warmup_steps=int(recipe.warmup * steps * decided.epochs),
        bf16=decided.precision == "bf16",
        use_cpu=not torch.cuda.is_available(),
        seed=recipe.seed,
        data_seed=recipe.seed,
        batch_sampler=batches.sampler(rows.groups, _lengths(rows)),
        prompts=_prompts(model, rows),
        router_mapping=_routes(rows) if routes(model) else {},
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=_METRIC,
        greater_is_better=True,
        logging_steps=every,
        report_to="none",
        disable_tqdm=quiet,
        dataloader_pin_memory=False,
    )
    trainer = _Trainer(
        model=model,
        args=arguments,
        train_dataset=_table(rows),
        loss=loss,
        evaluator=RankingEvaluator(dataset, dataset.good("dev"), decided.precision),
        callbacks=[EarlyStoppingCallback(recipe.patience), *callbacks],
    )
    trainer.remove_callback(PrinterCallback)
    if not quiet:
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(Epochs(_METRIC))
    _set_dropout(model, recipe.dropout)
    with _stopping(trainer) as stopped, _whole_states(folder), _attention(model):
        trainer.train(resume_from_checkpoint=str(state) if state else None)
        # Else the model would go on computing in the training's precision.
        trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    if stopped:
        raise Interrupted(f"stopped after step {trainer.state.global_step}: go on with --resume")
    return {str(entry["step"]): entry[_METRIC] for entry in trainer.state.log_history if _METRIC in entry}


class RankingEvaluator(InformationRetrievalEvaluator):
    """nDCG@10 of queries over the whole corpus: among the passages good for them alone, every model looks good.

    Training and choosing do in the precision of the training; what is compared with a threshold needs fp32.
    """

    def __init__(self, dataset: Dataset, good: Mapping[str, set[str]], precision: Literal["bf16", "fp32"]) -> None:
        super().__init__(
            queries={query: dataset.queries[query] for query in good},
            corpus={key: document.passage for key, document in dataset.corpus.items()},
            relevant_docs=dict(good),
            mrr_at_k=[10],
            ndcg_at_k=[10],
            accuracy_at_k=[1],
            precision_recall_at_k=[10],
            map_at_k=[10],
            write_csv=False,
        )
        self._bf16 = precision == "bf16"

    def __call__(self, model: Any, *arguments: Any, **named: Any) -> dict[str, float]:
        with torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=self._bf16):
            return dict(super().__call__(model, *arguments, **named))

    def embed_inputs(self, model: SentenceTransformer, *arguments: Any, **named: Any) -> Any:
        vectors: Any = super().embed_inputs(model, *arguments, **named)
        return vectors.float()

    def ndcg(self, model: SentenceTransformer) -> float:
        """nDCG@10 of the model, in [0, 1]."""
        return float(self(model)["cosine_ndcg@10"])


class _Trainer(SentenceTransformerTrainer):
    """Saves and loads all weights of the model by name, strictly.

    The saved folders of sentence-transformers are loaded by what their configuration says, which has
    brought back the base model in silence where an adapter was trained.
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
        """The model card is our own, and holds no training rows."""


class _StopWhenAsked(TrainerCallback):
    """Saves the state and ends after the step in which it was asked to."""

    def __init__(self, asked: list[int]) -> None:
        self._asked = asked

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,  # noqa: ARG002
        control: TrainerControl,
        **_: Any,
    ) -> TrainerControl:
        if self._asked:
            control.should_save = control.should_training_stop = True
        return control


def _set_dropout(model: SentenceTransformer, dropout: float | None) -> None:
    if dropout is not None:
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout


@contextmanager
def _attention(model: SentenceTransformer) -> Iterator[None]:
    """On a CPU and with short texts, plain attention, whose backward pass takes half the time of the fused one."""
    if model.device.type != "cpu" or (model.max_seq_length or _UNLIMITED) > _LONG:
        yield
        return
    with sdpa_kernel(SDPBackend.MATH):
        yield


@contextmanager
def _stopping(trainer: SentenceTransformerTrainer) -> Iterator[list[int]]:
    """Within it, Ctrl-C and SIGTERM are noted in the list, and end the training after the step in progress."""
    asked: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        asked.append(number)

    trainer.add_callback(_StopWhenAsked(asked))
    former = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def _whole_states(folder: Path) -> Iterator[None]:
    """Remove a state that could not be written to its end, and say so."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        broken = _broken(folder)
        if not broken:
            raise
        for path in broken:
            shutil.rmtree(path)
        kept = _newest(folder)
        left = f"the last good state is {kept.name}: make room and go on with --resume" if kept else "make room"
        raise DiskFull(f"{broken[0].name} could not be written to {folder} ({error}); {left}") from error


def _broken(folder: Path) -> list[Path]:
    return [path for path in folder.glob("checkpoint-*") if not (path / _STATE).is_file()]


def _newest(folder: Path) -> Path | None:
    """The newest state that is complete: its `trainer_state.json` is written last."""
    whole = [path for path in folder.glob("checkpoint-*") if (path / _STATE).is_file()]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _table(rows: Rows) -> Table:
    columns: dict[str, Sequence[Any]] = dict(rows.columns)
    return Table.from_dict(columns | {"label": rows.labels} if rows.labels else columns)


def _lengths(rows: Rows) -> list[int]:
    """Characters of the longest document of each row, by which rows are put together."""
    documents = [texts for name, texts in rows.columns.items() if name != "anchor"]
    return [max(len(texts[row]) for texts in documents) for row in range(len(rows))]


def _prompts(model: SentenceTransformer, rows: Rows) -> dict[str, str]:
    """The model's own prompts by column, so that what is trained is what `encode_query` and `encode_document` do."""
    query, document = model.prompts.get("query") or "", document_prompt(model.prompts)
    return {name: prompt for name in rows.columns if (prompt := query if name == "anchor" else document)}


def _routes(rows: Rows) -> dict[str, str]:
    return {name: "query" if name == "anchor" else "document" for name in rows.columns}


def _batch_size(rows: Rows, max_length: int) -> int:
    """8 to 64 rows: at least 16 steps an epoch, and no more tokens than fit, also where the rows are long."""
    longest = max_length * _CHARACTERS_PER_TOKEN
    sizes = sorted(sum(min(len(texts[row]), longest) for texts in rows.columns.values()) for row in range(len(rows)))
    nearly_longest = sizes[len(sizes) * 9 // 10] // _CHARACTERS_PER_TOKEN + 1
    most = min(len(rows) // 16, _TOKENS_IN_BATCH // nearly_longest)
    return int(1 << max(3, min(6, most.bit_length() - 1)))


def precision(recipe: Recipe) -> Literal["bf16", "fp32"]:
    """What the recipe asks for, or bf16 where the processor computes with it."""
    if recipe.precision != "auto":
        return recipe.precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    capabilities = torch.cpu.get_capabilities()
    return "bf16" if any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")) else "fp32"
