"""The refusal of files that would run when they are loaded: code, and pickled weights."""

import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import JsonValue

from service.checkpoints.config_files import ROUTER_CONFIG, Module, Router, load, module_paths, refuse_foreign_class
from service.errors import CheckpointRefused

_PICKLED_WEIGHTS = re.compile(r"pytorch_model.*\.bin|.*\.(pt|pth|pkl|pickle|ckpt)")


def refuse_code(folder: Path, paths: Iterable[str]) -> None:
    """Raise CheckpointRefused if the folder has code, or one of the files at `paths` asks for code."""
    code = next(folder.rglob("*.py"), None)
    if code is not None:
        raise CheckpointRefused(
            f"the checkpoint brings custom code ({code.relative_to(folder)}), which is never run here: remove it, or"
            " use an architecture that transformers has"
        )
    for path in paths:
        if path.endswith("config.json"):
            config = load(folder / path, JsonValue)
            if isinstance(config, dict) and "auto_map" in config:
                raise CheckpointRefused(
                    f"{path} asks for custom code (auto_map), which is never run here: use an architecture that"
                    " transformers has, and save the model without auto_map"
                )
        if path.endswith(ROUTER_CONFIG):
            for name in load(folder / path, Router).types.values():
                refuse_foreign_class(name)


def refuse_pickles(folder: Path, modules: Iterable[Module]) -> None:
    """Raise CheckpointRefused if the weights of a module are pickled and are not there as safetensors."""
    for path in module_paths(folder, modules):
        module = folder / path
        if not module.is_dir() or any(module.glob("*.safetensors")):
            continue
        pickled = next((file.name for file in sorted(module.iterdir()) if _PICKLED_WEIGHTS.fullmatch(file.name)), None)
        if pickled is not None:
            raise CheckpointRefused(
                f"the weights are pickled ({pickled}), and loading a pickle can run anything: save the model with"
                " safetensors (save_pretrained does so by default)"
            )
