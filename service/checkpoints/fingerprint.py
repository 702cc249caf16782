"""The two hashes of a checkpoint: its digest, and its document fingerprint.

The digest covers every file, so any change of a file changes it. The document fingerprint covers only what decides a
document's vector, so a checkpoint that changes the query side alone keeps the fingerprint of its base.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from service.checkpoints import model_kind
from service.checkpoints.config_files import MODEL_CONFIG, MODULES, Module, load, load_model_config, load_router
from service.checkpoints.contents import REPORT
from service.checkpoints.manifest import MANIFEST
from service.errors import CheckpointRefused

# Fields of config.json that transformers writes on every save and that change no vector.
_VOLATILE_CONFIG = ("transformers_version", "_name_or_path", "architectures", "use_cache")
# Files at the root of the folder that do not belong to the first module.
_NOT_A_MODULE = frozenset({MANIFEST, MODULES, MODEL_CONFIG, REPORT})
_DOCUMENT_PROMPTS = ("document", "passage", "corpus")


def content_digest(files: Mapping[str, str]) -> str:
    """The hash, in hex digits, of `files`: the SHA-256 of each by its path."""
    return _hash(dict(files))


def document_fingerprint(folder: Path, modules: Iterable[Module], files: Mapping[str, str]) -> str:
    """The hash, in hex digits, of all that decides a document's vector. `files` are the SHA-256 of each by its path.

    Raises CheckpointRefused if weights are missing or a Router has no route for documents.
    """
    config = load_model_config(folder)
    facts: dict[str, JsonValue] = {
        "modules": [part for module in modules for part in _document_parts(folder, module.type, module.path, files)],
        "prompt": document_prompt(config.prompts or {}),
        "dimensions": config.truncate_dim,
    }
    pooling = model_kind.default_pooling(folder)
    if pooling is not None:
        facts["pooling"] = pooling
    return _hash(facts)


def document_prompt(prompts: Mapping[str, str | None]) -> str:
    """The prompt that `SentenceTransformer.encode_document` puts before a text."""
    return next((prompts[name] or "" for name in _DOCUMENT_PROMPTS if name in prompts), "")


def _document_parts(folder: Path, class_path: str, path: str, files: Mapping[str, str]) -> Iterator[list[Any]]:
    """The modules that a document passes, each as [class, {file within it: hash}].

    A Router counts with its route for documents alone.
    """
    # sentence-transformers moved its classes between versions and kept their names.
    class_name = class_path.rpartition(".")[2]
    router = load_router(folder / path)
    if router is not None:
        route = "document" if "document" in router.structure else str(router.parameters.get("default_route"))
        if route not in router.structure:
            raise CheckpointRefused(
                "the model's Router has no route for documents: build it with Router.for_query_document"
            )
        for part in router.structure[route]:
            if part not in router.types:
                raise CheckpointRefused(
                    f"the model's Router does not say of what class {part} is: save the model again"
                )
            yield from _document_parts(folder, router.types[part], f"{path}/{part}".lstrip("/"), files)
        return
    prefix = f"{path}/" if path else ""
    hashes = {
        file.removeprefix(prefix): _stable_hash(folder / file, digest)
        for file, digest in files.items()
        if file.startswith(prefix)
        and not file.endswith(".md")
        and (path or ("/" not in file and file not in _NOT_A_MODULE))
    }
    if class_name == "Transformer" and not any(file.endswith(".safetensors") for file in hashes):
        raise CheckpointRefused(f"the weights of {path or 'the model'} are missing: save it with save_pretrained")
    yield [class_name, hashes]


def _stable_hash(path: Path, digest: str) -> str:
    """The `digest` of the file at `path`; of a config.json, the hash of the fields that can change a vector."""
    if path.name != "config.json":
        return digest
    config: dict[str, JsonValue] = load(path, dict[str, JsonValue])
    return _hash({key: value for key, value in config.items() if key not in _VOLATILE_CONFIG})


def _hash(content: Mapping[str, object]) -> str:
    return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
