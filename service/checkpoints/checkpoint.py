"""The checkpoint format: the contract between the trainer that writes and the service that reads.

A checkpoint is a sentence-transformers folder, with or without a manifest (`instar.json`): an embedding model as
SentenceTransformer saves it, or a reranker as CrossEncoder does. Its id is `name@` and the first 12 hex digits of the
hash of its contents. Only json, txt, md and safetensors files belong to it, and a report
(`report.html`) that the manifest names. Pickled weights and custom code are refused, because loading either can run
anything.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from service.checkpoints import model_kind
from service.checkpoints.config_files import Module, load_modules
from service.checkpoints.contents import REPORT, computed_size, file_paths
from service.checkpoints.fingerprint import content_digest, document_fingerprint
from service.checkpoints.manifest import Manifest, load_manifest, verify_files
from service.checkpoints.model_kind import Kind
from service.checkpoints.report import require_short
from service.checkpoints.scoring import refuse_unscorable
from service.checkpoints.unsafe import refuse_code, refuse_pickles
from service.errors import CheckpointRefused
from service.machine.files import checksum, flush

DIGEST_DIGITS = 12
_NAMES: Mapping[Kind, str] = {"dense": "an embedding model", "reranker": "a reranker"}


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that has been read and verified.

    `digest` and `fingerprint` are hashes in hex digits. `files` maps each file's path to its SHA-256. `size` is the
    bytes of these files, `computed_size` the bytes of the weights in fp32, in which torch computes them. `warnings` are
    sentences for whoever reloads the checkpoint.
    """

    folder: Path
    name: str
    digest: str
    fingerprint: str
    manifest: Manifest | None
    files: Mapping[str, str]
    size: int
    computed_size: int
    kind: Kind = "dense"
    warnings: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.name}@{self.digest[:DIGEST_DIGITS]}"

    def require_kind(self, wanted: Kind) -> Self:
        """This checkpoint; raises CheckpointRefused, with what it is, if it is of another kind."""
        model_kind.require_kind(self.name, self.kind, wanted)
        return self


def read(folder: Path, name: str) -> Checkpoint:
    """Read and verify the checkpoint in `folder`, which takes the time to hash its weights.

    Raises CheckpointRefused if a file is missing, altered, pickled, or code, or if the manifest does not name it.
    """
    modules = load_modules(folder)
    manifest = load_manifest(folder)
    kind = _kind(folder, manifest)
    paths = _paths(folder, modules, manifest)
    if REPORT in paths:
        require_short(folder / REPORT)
    refuse_code(folder, paths)
    refuse_pickles(folder, modules)
    if kind == "reranker":
        refuse_unscorable(folder, modules)
    files = {path: checksum(folder / path) for path in paths}
    if manifest is not None:
        verify_files(manifest, files)
    return Checkpoint(
        folder=folder,
        name=name,
        digest=content_digest(files),
        fingerprint=document_fingerprint(folder, modules, files),
        manifest=manifest,
        kind=kind,
        files=files,
        size=sum((folder / path).stat().st_size for path in paths),
        warnings=tuple(_warnings(folder, name)),
        computed_size=sum(computed_size(folder / path) for path in paths if path.endswith(".safetensors")),
    )


def copy(source: Path, target: Path) -> None:
    """Copy the files of the checkpoint in `source` to the new folder `target`; returns when they are on the disk."""
    for path in _paths(source, load_modules(source), load_manifest(source)):
        copied = target / path
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, copied)
    flush(target)


def _paths(folder: Path, modules: Sequence[Module], manifest: Manifest | None) -> list[str]:
    """The paths below `folder` of all files of the checkpoint, in order."""
    has_report = manifest is not None and REPORT in manifest.files and (folder / REPORT).is_file()
    return sorted([*file_paths(folder, modules), *([REPORT] if has_report else [])])


def _kind(folder: Path, manifest: Manifest | None) -> Kind:
    """The kind of the checkpoint; raises CheckpointRefused if its manifest says another one."""
    kind = model_kind.kind_of(folder)
    if manifest is not None and manifest.kind != kind:
        raise CheckpointRefused(
            f"the manifest says that it is {_NAMES[manifest.kind]}, but its files are those of {_NAMES[kind]}: package"
            " it again"
        )
    return kind


def _warnings(folder: Path, name: str) -> Iterator[str]:
    pooling = model_kind.default_pooling(folder)
    if pooling is not None:
        yield (
            f"{name} has no modules.json, so it is pooled as sentence-transformers does by default ({pooling}): if it"
            " was trained with another pooling, its vectors are poor; save it with SentenceTransformer.save_pretrained"
        )
