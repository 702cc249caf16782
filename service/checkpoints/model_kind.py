"""The kind of a model, and the refusal of models that do not embed."""

import json
from pathlib import Path
from typing import Any

from service.errors import CheckpointRefused

# The other kinds of model, by `model_type` of config_sentence_transformers.json (sentence-transformers 5 and later).
_OTHER_KINDS = {
    "CrossEncoder": "a cross-encoder: it scores pairs of a query and a text, which is reranking",
    "SparseEncoder": "a sparse encoder: its vectors have a number for each word, which no dense index takes",
    "MultiVectorEncoder": "a multi-vector encoder: it gives a vector for each token, which no dense index takes",
}
_CLASSIFIER = "ForSequenceClassification"
_LANGUAGE_MODEL = "ForCausalLM"


def refuse_other_kinds(folder: Path) -> None:
    """Raise CheckpointRefused, which names the kind, if the folder holds a model that is no embedding model."""
    kind = _read(folder / "config_sentence_transformers.json").get("model_type")
    if kind in _OTHER_KINDS:
        raise CheckpointRefused(f"{folder.name} is {_OTHER_KINDS[kind]}; reload an embedding model")
    if _is_plain(folder) and any(name.endswith(_CLASSIFIER) for name in _architectures(folder)):
        raise CheckpointRefused(f"{folder.name} is {_OTHER_KINDS['CrossEncoder']}; reload an embedding model")
    for adapter in sorted({folder / "adapter_config.json", *folder.glob("*/adapter_config.json")}):
        if adapter.is_file() and not (adapter.parent / "model.safetensors").exists():
            base = str(_read(adapter).get("base_model_name_or_path") or "its base model")
            raise CheckpointRefused(
                f"{folder.name} is an adapter (LoRA) for {base[:120]}, without that model's weights: merge it into them"
                " and save the whole model, as docs/tuning.md shows"
            )


def default_pooling(folder: Path) -> str | None:
    """How sentence-transformers pools a plain transformers folder; None if the folder is something else."""
    if not _is_plain(folder):
        return None
    return "last-token" if any(name.endswith(_LANGUAGE_MODEL) for name in _architectures(folder)) else "mean"


def _is_plain(folder: Path) -> bool:
    """Whether transformers has saved the model, and sentence-transformers has not."""
    return not (folder / "modules.json").exists() and "model_type" in _read(folder / "config.json")


def _architectures(folder: Path) -> list[str]:
    names = _read(folder / "config.json").get("architectures")
    return [str(name) for name in names] if isinstance(names, list) else []


def _read(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty if there is none. Code that needs the file refuses the folder then."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
