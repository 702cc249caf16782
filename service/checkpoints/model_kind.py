"""The kind of model in a folder: an embedding model or a reranker; other kinds are refused."""

import json
from pathlib import Path
from typing import Any, Literal

from service.errors import CheckpointRefused

# dense: gives each text one vector. reranker: a cross-encoder, which scores pairs of a query and a text.
Kind = Literal["dense", "reranker"]
# `model_type` of config_sentence_transformers.json (sentence-transformers 5 and later), and what each kind is for.
_CROSS_ENCODER = "CrossEncoder"
_OTHER_KINDS = {
    "SparseEncoder": "a sparse encoder: its vectors have a number for each word, which no dense index takes",
    "MultiVectorEncoder": "a multi-vector encoder: it gives a vector for each token, which no dense index takes",
}
_CLASSIFIER = "ForSequenceClassification"
_LANGUAGE_MODEL = "ForCausalLM"


def kind_of(folder: Path) -> Kind:
    """The kind of model in the folder, by what is in it.

    Raises CheckpointRefused, with what it is, for a kind that is not served, and for weights without their base.
    """
    name = str(_read(folder / "config_sentence_transformers.json").get("model_type"))
    if name in _OTHER_KINDS:
        raise CheckpointRefused(f"{folder.name} is {_OTHER_KINDS[name]}; reload an embedding model")
    _refuse_adapter(folder)
    classifies = is_plain(folder) and any(name.endswith(_CLASSIFIER) for name in _architectures(folder))
    return "reranker" if name == _CROSS_ENCODER or classifies else "dense"


def require_kind(name: str, kind: Kind, wanted: Kind) -> None:
    """Raise CheckpointRefused unless `kind`, that of the checkpoint `name`, is the one that is wanted."""
    if kind == wanted:
        return
    if kind == "reranker":
        raise CheckpointRefused(
            f"{name} is a cross-encoder: it scores pairs of a query and a text, and gives no vectors; name an embedding"
            f' model, or load it as a reranker: POST /admin/reload {{"reranker": "{name}"}}'
        )
    raise CheckpointRefused(
        f"{name} is an embedding model, which scores no pairs of a query and a text: name a cross-encoder, or load it"
        f' as the model: POST /admin/reload {{"model": "{name}"}}'
    )


def _refuse_adapter(folder: Path) -> None:
    for adapter in sorted({folder / "adapter_config.json", *folder.glob("*/adapter_config.json")}):
        if adapter.is_file() and not (adapter.parent / "model.safetensors").exists():
            base = str(_read(adapter).get("base_model_name_or_path") or "its base model")
            raise CheckpointRefused(
                f"{folder.name} is an adapter (LoRA) for {base[:120]}, without that model's weights: merge it into them"
                " and save the whole model, as docs/tuning.md shows"
            )


def default_pooling(folder: Path) -> str | None:
    """How sentence-transformers pools a plain transformers folder; None if the folder is something else."""
    if not is_plain(folder) or kind_of(folder) != "dense":
        return None
    return "last-token" if any(name.endswith(_LANGUAGE_MODEL) for name in _architectures(folder)) else "mean"


def is_plain(folder: Path) -> bool:
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
