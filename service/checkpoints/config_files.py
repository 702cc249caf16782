"""The JSON files that put a model together: its modules, the routes between them, its prompts.

Anybody may have written them. So a module's class and folder are checked here, before anything follows them.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError

from service.checkpoints import model_kind
from service.checkpoints.errors import leaves_its_folder, no_modules
from service.errors import CheckpointRefused

MODULES = "modules.json"
MODEL_CONFIG = "config_sentence_transformers.json"
ROUTER_CONFIG = "router_config.json"
_TRANSFORMER = "sentence_transformers.base.modules.transformer.Transformer"


class Module(BaseModel):
    """One entry of modules.json: a class, and the folder of its files."""

    type: str
    path: str


class Router(BaseModel):
    """router_config.json: the modules of each route, by the names of their subfolders."""

    types: dict[str, str]
    structure: dict[str, list[str]]
    parameters: dict[str, JsonValue] = {}


class ModelConfig(BaseModel):
    """The part of config_sentence_transformers.json that decides documents' vectors."""

    prompts: dict[str, str | None] | None = None
    truncate_dim: int | None = None


def load(path: Path, kind: Any) -> Any:
    """Parse the JSON file at `path` as a `kind`, a type for pydantic.

    Raises CheckpointRefused if the file cannot be read or is not such a `kind`.
    """
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except OSError as error:
        raise CheckpointRefused(f"{path.name} cannot be read ({error}): copy the checkpoint again") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "content"
        raise CheckpointRefused(
            f"{path.name} is malformed ({where}: {problem['msg']}): save the model again"
        ) from error


def load_modules(folder: Path) -> list[Module]:
    """The modules of the model in `folder`, in the order in which a text passes them.

    Raises CheckpointRefused if the folder is no sentence-transformers model, names a class of another library, or a
    path outside of itself.
    """
    model_kind.kind_of(folder)
    if model_kind.is_plain(folder):
        return [Module(type=_TRANSFORMER, path="")]
    if not (folder / MODULES).is_file():
        raise CheckpointRefused(
            f"{folder.name} has no modules.json, so it is not a sentence-transformers model: save it with"
            " SentenceTransformer(...).save_pretrained(...)"
        )
    modules: list[Module] = load(folder / MODULES, list[Module])
    if not modules:
        raise no_modules()
    for module in modules:
        refuse_foreign_class(module.type)
        refuse_escape(module.path)
    return modules


def load_router(module_folder: Path) -> Router | None:
    """The routes of the Router in `module_folder`; None if the module is no Router."""
    path = module_folder / ROUTER_CONFIG
    router: Router | None = load(path, Router) if path.is_file() else None
    return router


def load_model_config(folder: Path) -> ModelConfig:
    """The prompts and dimensions of the model in `folder`; sentence-transformers' defaults without a file."""
    path = folder / MODEL_CONFIG
    config: ModelConfig = load(path, ModelConfig) if path.is_file() else ModelConfig()
    return config


def module_paths(folder: Path, modules: Iterable[Module]) -> Iterator[str]:
    """The folders of the modules, and of the modules behind a Router, as paths below `folder`.

    A path is empty for a module whose files lie in `folder` itself.
    """
    for module in modules:
        yield module.path
        router = load_router(folder / module.path)
        for name in router.types if router is not None else ():
            refuse_escape(name)
            yield f"{module.path}/{name}".lstrip("/")


def refuse_escape(path: str) -> None:
    """Raise CheckpointRefused if `path` leads out of the checkpoint's folder."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path:
        raise leaves_its_folder("the checkpoint names", path)


def refuse_foreign_class(name: str) -> None:
    """Raise CheckpointRefused unless the class `name` belongs to sentence-transformers."""
    if not re.fullmatch(r"sentence_transformers(\.\w+)+", name):
        raise CheckpointRefused(
            f"the checkpoint needs custom code ({name}), which never runs here: use sentence-transformers modules only"
        )
