"""The manifest of a checkpoint, `instar.json`: the trainer's record of its files, its canaries and its lineage."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from service.checkpoints.config_files import load, load_modules, refuse_escape
from service.checkpoints.contents import REPORT, file_paths
from service.checkpoints.model_kind import Kind
from service.checkpoints.names import NAME
from service.errors import CheckpointRefused
from service.machine.files import checksum

MANIFEST = "instar.json"
# The least cosine of a canary's vector with that of a faithful load. Another processor or another version of a library
# moves a vector by far less.
MIN_CANARY_COSINE = 0.999

# Adds a signature to the content of a manifest; `dict` adds none.
Sign = Callable[[Mapping[str, JsonValue]], dict[str, JsonValue]]


class Canary(BaseModel):
    """A text, and the vector that a faithful load of the checkpoint gives it: unit length, full dimensions."""

    model_config = ConfigDict(frozen=True)

    text: str
    side: Literal["query", "document"]
    vector: list[float]


class ScoredPair(BaseModel):
    """A query and a text, and the logit that a faithful load of a reranker gives them: the score before its sigmoid."""

    model_config = ConfigDict(frozen=True)

    query: str
    text: str
    logit: float


class Manifest(BaseModel):
    """The content of `instar.json`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    format: Literal[1] = 1
    name: str = Field(pattern=f"^{NAME.pattern}$")
    files: dict[str, str] = Field(description="SHA-256 in hex of every other file, by its path with forward slashes")
    kind: Kind = "dense"
    canaries: list[Canary] = Field([], description="of an embedding model")
    pairs: list[ScoredPair] = Field([], description="the canaries of a reranker")
    lineage: dict[str, JsonValue] = Field(
        {}, description="base, data, recipe, metrics and verdict, as the trainer has them"
    )


def load_manifest(folder: Path) -> Manifest | None:
    """The manifest of the checkpoint in `folder`; None if it has none. Raises CheckpointRefused if it is malformed."""
    path = folder / MANIFEST
    manifest: Manifest | None = load(path, Manifest) if path.is_file() else None
    return manifest


def write_manifest(folder: Path, manifest: Manifest, sign: Sign = dict) -> None:
    """Put `manifest` into `folder`, with the hashes of the files as they are now, and what `sign` adds to it.

    A report in the folder belongs to the checkpoint from now on.
    """
    paths = [path for path in file_paths(folder, load_modules(folder)) if path != MANIFEST]
    if (folder / REPORT).is_file():
        paths.append(REPORT)
    complete = manifest.model_copy(update={"files": {path: checksum(folder / path) for path in sorted(paths)}})
    # An embedding model is what a manifest without a kind describes, and keeps the id that it has always had.
    news = {"kind": complete.kind == "dense", "pairs": not complete.pairs}
    content = sign(complete.model_dump(mode="json", exclude={field for field, usual in news.items() if usual}))
    (folder / MANIFEST).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def verify_files(manifest: Manifest, files: Mapping[str, str]) -> None:
    """Raise CheckpointRefused unless `files`, SHA-256 by path, are the files that the manifest names."""
    present = {path: digest for path, digest in files.items() if path != MANIFEST}
    for path in manifest.files:
        refuse_escape(path)
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
