"""sentence-transformers' trainers of both kinds of model, with states that hold all weights by name."""

from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from sentence_transformers import (
    CrossEncoderTrainer,
    CrossEncoderTrainingArguments,
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.base.trainer import BaseTrainer
from torch import nn

from trainer.base_model import Model

WEIGHTS = "weights.safetensors"


class _ByName(BaseTrainer):
    """Saves all weights of the model by name, and loads exactly them.

    sentence-transformers loads a saved folder by its configuration. After the training of an adapter that brought back
    the base model without any warning.
    """

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ARG002
        folder = Path(output_dir or self.args.output_dir or "")
        folder.mkdir(parents=True, exist_ok=True)
        # A weight may be a part of another one's memory, as NomicBERT's are.
        weights = {name: tensor.to("cpu", copy=True) for name, tensor in self.model.state_dict().items()}
        save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        weights = load_file(Path(resume_from_checkpoint) / WEIGHTS)
        (model or self.model).load_state_dict(weights, strict=True)

    def _load_best_model(self) -> None:
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Add no callback: `ship.card` writes a model card that holds no training rows."""


class _DenseTrainer(_ByName, SentenceTransformerTrainer):
    pass


class _RerankerTrainer(_ByName, CrossEncoderTrainer):
    pass


def make(model: Model, arguments: dict[str, Any], **parts: Any) -> BaseTrainer:
    """The trainer of `model`. `arguments` are those of training arguments, `parts` those of the trainer."""
    trainer: BaseTrainer
    if isinstance(model, SentenceTransformer):
        trainer = _DenseTrainer(model=model, args=SentenceTransformerTrainingArguments(**arguments), **parts)
    else:
        trainer = _RerankerTrainer(model=model, args=CrossEncoderTrainingArguments(**arguments), **parts)
    # transformers would write the tokenizer's special tokens into the configuration, and RoBERTa counts positions from
    # one of them.
    trainer.processing_class = None
    return trainer
