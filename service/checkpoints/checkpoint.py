"""The checkpoint format: the contract between the trainer that writes and the service that reads.

A checkpoint is a sentence-transformers folder, with or without a manifest (`instar.json`). Its id
is `name@` and the first 12 hex digits of the hash of its contents; its document fingerprint is the
hash of all that decides a document's vector. Only json, txt, md and safetensors files belong to it:
weights in a pickle and code of its own are refused, because loading either runs what it says.
"""

import hashlib
import json
import math
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from service.checkpoints import model_kind
from service.checkpoints.errors import no_modules
from service.errors import CheckpointRefused, InvalidRequest
from service.machine.files import checksum, flush

MANIFEST = "instar.json"
FILE_KINDS = frozenset({".json", ".txt", ".md", ".safetensors"})
PICKLED_WEIGHTS = re.compile(r"pytorch_model.*\.bin|.*\.(pt|pth|pkl|pickle|ckpt)")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DIGEST_DIGITS = 12
# Between a canary's vector and what a faithful load gives: another processor or library version moves it by far less.
MIN_CANARY_COSINE = 0.999

# Written by transformers on every save, and without influence on a vector.
_VOLATILE_CONFIG = ("transformers_version", "_name_or_path", "architectures", "use_cache")
# At the root of the folder, but not part of its first module.
_NOT_A_MODULE = frozenset({MANIFEST, "modules.json", "config_sentence_transformers.json"})
_TRANSFORMER = "sentence_transformers.base.modules.transformer.Transformer"
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")


Sign = Callable[[Mapping[str, JsonValue]], dict[str, JsonValue]]


class Canary(BaseModel):
    """A text and the vector that a faithful load of the checkpoint gives it: unit length, full dimensions."""

    model_config = ConfigDict(frozen=True)

    text: str
    side: Literal["query", "document"]
    vector: list[float]


class Manifest(BaseModel):
    """What the trainer knows of a checkpoint, in `instar.json`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    format: Literal[1] = 1
    name: str = Field(pattern=f"^{NAME.pattern}$")
    files: dict[str, str] = Field(description="SHA-256 in hex of every other file, by its path with forward slashes")
    canaries: list[Canary] = []
    lineage: dict[str, JsonValue] = Field(
        {}, description="base, data, recipe, metrics and verdict, as the trainer has them"
    )


class _Module(BaseModel):
    """One entry of modules.json."""

    type: str
    path: str


class _Router(BaseModel):
    """router_config.json: the routes' modules, by the names of their subfolders."""

    types: dict[str, str]
    structure: dict[str, list[str]]
    parameters: dict[str, JsonValue] = {}


class _ModelConfig(BaseModel):
    """What of config_sentence_transformers.json touches documents."""

    prompts: dict[str, str | None] | None = None
    truncate_dim: int | None = None


class _Tensor(BaseModel):
    """One tensor in the header of a safetensors file (its metadata looks like one without a shape)."""

    shape: list[int] = []


_TENSORS = TypeAdapter(dict[str, _Tensor])


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that has been read and verified.

    `files` maps each file's path to its SHA-256; `size` is their bytes together, `computed_size` the bytes of its
    weights in fp32, in which torch computes them. `warnings` are sentences for whoever reloads it.
    """

    folder: Path
    name: str
    digest: str
    fingerprint: str
    manifest: Manifest | None
    files: Mapping[str, str]
    size: int
    computed_size: int
    warnings: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.name}@{self.digest[:DIGEST_DIGITS]}"


def check_name(name: str, param: str = "model") -> str:
    """Return `name` if it can be a checkpoint's, else raise InvalidRequest."""
    if not NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name[:80]!r} cannot be the name of a checkpoint: use 1 to 64 letters, digits, '.', '_' and '-',"
            " beginning with a letter or digit",
            param,
        )
    return name


def read(folder: Path, name: str) -> Checkpoint:
    """Read and verify the checkpoint in `folder`, which takes the time to hash its weights.

    Raises CheckpointRefused if a file is missing, altered, of an unknown kind where the manifest
    names it, pickled, or code.
    """
    modules = _modules(folder)
    manifest = _manifest(folder)
    paths = sorted(_files(folder, modules))
    _refuse_code(folder, paths)
    _refuse_pickles(folder, modules)
    files = {path: checksum(folder / path) for path in paths}
    if manifest is not None:
        _verify(manifest, files)
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    return Checkpoint(
        folder=folder,
        name=name,
        digest=digest,
        fingerprint=_document_fingerprint(folder, modules, files),
        manifest=manifest,
        files=files,
        size=sum((folder / path).stat().st_size for path in paths),
        warnings=tuple(_warnings(folder, name)),
        computed_size=sum(_computed_size(folder / path) for path in paths if path.endswith(".safetensors")),
    )


def copy(source: Path, target: Path) -> None:
    """Copy the files of the checkpoint in `source` to the new folder `target`, and see them onto the disk."""
    for path in _files(source, _modules(source)):
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, place)
    flush(target)


def write_manifest(folder: Path, manifest: Manifest, sign: Sign = dict) -> None:
    """Put `manifest` into `folder`, with the hashes of the files as they are now, and what `sign` adds to it."""
    paths = [path for path in _files(folder, _modules(folder)) if path != MANIFEST]
    complete = manifest.model_copy(update={"files": {path: checksum(folder / path) for path in sorted(paths)}})
    content = sign(complete.model_dump(mode="json"))
    (folder / MANIFEST).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _load(path: Path, kind: Any) -> Any:
    """Parse a JSON file of the checkpoint, which may hold anything, as a `kind`."""
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


def _modules(folder: Path) -> list[_Module]:
    model_kind.refuse_other_kinds(folder)
    if model_kind.default_pooling(folder) is not None:
        return [_Module(type=_TRANSFORMER, path="")]
    if not (folder / "modules.json").is_file():
        raise CheckpointRefused(
            f"{folder.name} has no modules.json, so it is not a sentence-transformers model: save it with"
            " SentenceTransformer(...).save_pretrained(...)"
        )
    modules: list[_Module] = _load(folder / "modules.json", list[_Module])
    if not modules:
        raise no_modules()
    for module in modules:
        _refuse_foreign_type(module.type)
        _refuse_escape(module.path)
    return modules


def _warnings(folder: Path, name: str) -> Iterator[str]:
    pooling = model_kind.default_pooling(folder)
    if pooling is not None:
        yield (
            f"{name} has no modules.json, so it is pooled as sentence-transformers does by default ({pooling}): if it"
            " was trained with another pooling, its vectors are poor; save it with SentenceTransformer.save_pretrained"
        )


def _manifest(folder: Path) -> Manifest | None:
    return _load(folder / MANIFEST, Manifest) if (folder / MANIFEST).is_file() else None


def _files(folder: Path, modules: list[_Module]) -> Iterator[str]:
    """Paths of the files that make up the checkpoint: its root and its modules' folders, known kinds only.

    What a training run leaves beside them (optimizer state, intermediate checkpoints) is not part of it.
    """
    for path in folder.iterdir():
        if path.is_file() and path.suffix in FILE_KINDS:
            yield path.name
    for top in {PurePosixPath(path).parts[0] for path in _module_paths(folder, modules) if path}:
        for path in (folder / top).rglob("*"):
            if path.is_file() and path.suffix in FILE_KINDS:
                yield path.relative_to(folder).as_posix()


def _module_paths(folder: Path, modules: list[_Module]) -> Iterator[str]:
    """The folders of the modules, and of those behind a Router, whose own folder may be the root."""
    for module in modules:
        yield module.path
        router = folder / module.path / "router_config.json"
        if router.is_file():
            for part in _load(router, _Router).types:
                _refuse_escape(part)
                yield f"{module.path}/{part}".lstrip("/")


def _refuse_escape(path: str) -> None:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path:
        raise CheckpointRefused(f"the checkpoint names {path!r}, which leaves its folder: do not trust its source")


def _refuse_foreign_type(name: str) -> None:
    if not re.fullmatch(r"sentence_transformers(\.\w+)+", name):
        raise CheckpointRefused(
            f"the checkpoint needs custom code ({name}), which never runs here: use sentence-transformers modules only"
        )


def _refuse_code(folder: Path, paths: list[str]) -> None:
    code = next(folder.rglob("*.py"), None)
    if code is not None:
        raise CheckpointRefused(
            f"the checkpoint brings custom code ({code.relative_to(folder)}), which is never run here: remove it, or"
            " use an architecture that transformers has"
        )
    for path in paths:
        if path.endswith("config.json"):
            config = _load(folder / path, JsonValue)
            if isinstance(config, dict) and "auto_map" in config:
                raise CheckpointRefused(
                    f"{path} asks for custom code (auto_map), which is never run here: use an architecture that"
                    " transformers has, and save the model without auto_map"
                )
        if path.endswith("router_config.json"):
            for name in _load(folder / path, _Router).types.values():
                _refuse_foreign_type(name)


def _refuse_pickles(folder: Path, modules: list[_Module]) -> None:
    for path in _module_paths(folder, modules):
        place = folder / path
        if not place.is_dir() or any(place.glob("*.safetensors")):
            continue
        pickled = next((path.name for path in sorted(place.iterdir()) if PICKLED_WEIGHTS.fullmatch(path.name)), None)
        if pickled is not None:
            raise CheckpointRefused(
                f"the weights are pickled ({pickled}), and loading a pickle can run anything: save the model with"
                " safetensors (save_pretrained does so by default)"
            )


def _verify(manifest: Manifest, files: Mapping[str, str]) -> None:
    present = {path: digest for path, digest in files.items() if path != MANIFEST}
    for path in manifest.files:
        _refuse_escape(path)
    for problem, paths in (
        ("lacks", manifest.files.keys() - present.keys()),
        ("has a file that the manifest does not name:", present.keys() - manifest.files.keys()),
    ):
        if paths:
            raise CheckpointRefused(f"the checkpoint {problem} {min(paths)}: copy or package it again")
    for path, digest in sorted(present.items()):
        if manifest.files[path] != digest:
            raise CheckpointRefused(
                f"{path} has SHA-256 {digest}, but the manifest says {manifest.files[path]}: the file was damaged or"
                " altered; copy or package it again"
            )


def _document_fingerprint(folder: Path, modules: list[_Module], files: Mapping[str, str]) -> str:
    config_path = folder / "config_sentence_transformers.json"
    config = _load(config_path, _ModelConfig) if config_path.is_file() else _ModelConfig()
    facts: dict[str, JsonValue] = {
        "modules": [part for module in modules for part in _document_parts(folder, module.type, module.path, files)],
        "prompt": document_prompt(config.prompts or {}),
        "dimensions": config.truncate_dim,
    }
    pooling = model_kind.default_pooling(folder)
    if pooling is not None:
        facts["pooling"] = pooling
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def document_prompt(prompts: Mapping[str, str | None]) -> str:
    """The prompt that `SentenceTransformer.encode_document` puts before a text."""
    return next((prompts[name] or "" for name in _DOCUMENT_PROMPTS if name in prompts), "")


def _document_parts(folder: Path, kind: str, path: str, files: Mapping[str, str]) -> Iterator[list[Any]]:
    """The modules that a document passes, each as [class, {file within it: hash}].

    Of a Router only the document's route counts, so that a checkpoint which changes the query's
    route alone keeps its fingerprint.
    """
    # The module path moved between versions of sentence-transformers; the class's name did not.
    class_name = kind.rpartition(".")[2]
    router = folder / path / "router_config.json"
    if router.is_file():
        config = _load(router, _Router)
        route = "document" if "document" in config.structure else str(config.parameters.get("default_route"))
        if route not in config.structure:
            raise CheckpointRefused("its Router has no route for documents: build it with Router.for_query_document")
        for part in config.structure[route]:
            if part not in config.types:
                raise CheckpointRefused(f"its Router does not say what {part} is: save the model again")
            yield from _document_parts(folder, config.types[part], f"{path}/{part}".lstrip("/"), files)
        return
    prefix = f"{path}/" if path else ""
    own = {
        file.removeprefix(prefix): _stable_digest(folder / file, digest)
        for file, digest in files.items()
        if file.startswith(prefix)
        and not file.endswith(".md")
        and (path or ("/" not in file and file not in _NOT_A_MODULE))
    }
    if class_name == "Transformer" and not any(file.endswith(".safetensors") for file in own):
        raise CheckpointRefused(f"the weights of {path or 'the model'} are missing: save it with save_pretrained")
    yield [class_name, own]


def _stable_digest(path: Path, digest: str) -> str:
    if path.name != "config.json":
        return digest
    config = _load(path, dict[str, JsonValue])
    kept = {key: value for key, value in config.items() if key not in _VOLATILE_CONFIG}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _computed_size(weights: Path) -> int:
    """Bytes of the numbers of a safetensors file in fp32; its own size where its header makes no sense."""
    size = weights.stat().st_size
    with weights.open("rb") as file:
        header = file.read(min(int.from_bytes(file.read(8), "little"), size))
    try:
        tensors = _TENSORS.validate_json(header)
    except ValidationError:
        return size
    return sum(4 * math.prod(tensor.shape) for name, tensor in tensors.items() if name != "__metadata__")
