"""The refusal of cross-encoders that give a pair more than one number, or need code to make it."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, JsonValue

from service.checkpoints.config_files import MODEL_CONFIG, Module, load
from service.errors import CheckpointRefused

# sentence-transformers imports the activation by its name and calls it, so only harmless names may stand there.
_ACTIVATIONS = frozenset(
    f"torch.nn.{name}" for name in ("Sigmoid", "Identity", "modules.activation.Sigmoid", "modules.linear.Identity")
)
# Labels of a classifier whose config.json does not say how many it has.
_LABELS_BY_DEFAULT = 2


class _Named(BaseModel):
    """A place where sentence-transformers 4 and later save the name of the activation."""

    activation_fn: str | None = None


class _NetworkConfig(BaseModel):
    """The part of config.json that decides what a cross-encoder gives for a pair."""

    id2label: dict[str, JsonValue] | None = None
    num_labels: int | None = None
    sentence_transformers: _Named | None = None
    sbert_ce_default_activation_function: str | None = None


def refuse_unscorable(folder: Path, modules: Sequence[Module]) -> None:
    """Raise CheckpointRefused unless the cross-encoder in `folder` is one network that gives each pair one logit."""
    others = [module.type.rpartition(".")[2] for module in modules if not module.type.endswith(".Transformer")]
    if others or len(modules) != 1:
        raise CheckpointRefused(
            f"{folder.name} scores pairs by {others[0] if others else 'several modules'}, which is not served: use a"
            " cross-encoder with a classifier (…ForSequenceClassification)"
        )
    network: _NetworkConfig = load(folder / modules[0].path / "config.json", _NetworkConfig)
    labels = network.num_labels or (_LABELS_BY_DEFAULT if network.id2label is None else len(network.id2label))
    if labels != 1:
        raise CheckpointRefused(
            f"{folder.name} gives {labels} numbers for a pair, and a reranker gives one: train it with num_labels=1"
        )
    path = folder / MODEL_CONFIG
    saved: _Named = load(path, _Named) if path.is_file() else _Named()
    former = network.sentence_transformers or _Named()
    for name in (saved.activation_fn, former.activation_fn, network.sbert_ce_default_activation_function):
        if name is not None and name not in _ACTIVATIONS:
            raise CheckpointRefused(
                f"{folder.name} asks for the activation {name[:80]}, which is never imported: save it with"
                " torch.nn.Sigmoid() or torch.nn.Identity()"
            )
