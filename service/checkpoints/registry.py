"""The checkpoints that there are, by name, and the service's own copies of those it runs.

A name is looked up as a folder or zip in `CHECKPOINTS_DIR`, then as the bundled base model, then as a
Hugging Face name. What is to run is copied into the data folder first and verified there: people may
overwrite or delete `CHECKPOINTS_DIR/NAME` at any time, while a generation needs its checkpoint again
at the next start.
"""

import shutil
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from service.checkpoints import archive, bundled, checkpoint
from service.checkpoints.checkpoint import Checkpoint
from service.checkpoints.errors import is_bundled, is_folder, not_in_folder, not_listed
from service.checkpoints.hub import hub_folder, is_hub_name
from service.checkpoints.names import NAME, check_name
from service.checkpoints.signature import Signers
from service.errors import CheckpointRefused, Conflict, NotFound
from service.machine import files
from service.machine.resources import Headroom
from service.observability.observer import Observer, Unobserved


@dataclass(frozen=True)
class Listing:
    """One line of `GET /admin/models`: a checkpoint, or the reason why it is none."""

    name: str
    source: Literal["folder", "zip", "bundled", "kept"]
    checkpoint: Checkpoint | None
    problem: str | None = None
    # Whether the service has a copy of its own besides.
    copied: bool = False


class Registry:
    """Looks checkpoints up, keeps the service's own copies, takes uploads."""

    def __init__(
        self,
        folder: Path,
        copies: Path,
        *,
        allow_hub: bool,
        max_size: int,
        headroom: Headroom | None = None,
        trusted: Signers | None = None,
        observer: Observer | None = None,
    ) -> None:
        """Copies and uploads leave `headroom` on their disk; None: they may fill it.

        `trusted` has signed what is loaded, the bundled base model aside, which is as trusted as the code; None:
        signatures are not looked at.
        """
        self._folder = folder
        self._copies = copies
        self._allow_hub = allow_hub
        self.max_size = max_size
        self._headroom = (headroom or Headroom(0, 0, copies)).at(copies)
        self._trusted = trusted
        self._observer = observer or Unobserved()
        self._listed: dict[tuple[str, ...], Checkpoint | CheckpointRefused] = {}
        for place in (folder, copies):
            place.mkdir(parents=True, exist_ok=True)
            files.sweep(place)

    def require(self, model: str) -> None:
        """Raise NotFound or InvalidRequest if there can be nothing by the name or id `model`.

        What Hugging Face has is asked for by `install` alone, which may take long.
        """
        if not is_hub_name(model):
            self._locate(model)

    def install(self, model: str) -> Checkpoint:
        """Verify the checkpoint of that name or id and return the service's own copy of it.

        Raises CheckpointRefused if it is not fit, NotFound if there is none, InsufficientResources
        if the disk is too full for the copy.
        """
        found = self._locate(model)
        if found.parent == self._copies:
            return self.open(model)
        name, _, digest = model.rpartition("/")[2].partition("@")
        check_name(name)
        with files.new_folder(self._copies) as target:
            if found.suffix == ".zip":
                self._unpack(found, target)
                files.flush(target)
                fresh = self._read(target, name)
            else:
                source = self._read_source(found, name)
                self._headroom.require_disk(source.size)
                checkpoint.copy(found, target)
                fresh = self._read(target, name)
                if fresh.digest != source.digest:
                    raise CheckpointRefused(f"{name} changed while it was read: reload when nothing writes to it")
            if digest and fresh.id != model:
                raise NotFound(f"there is no {model} any more: {name} is now {fresh.id}", "model")
            self._observer.step("reload.copied")
            place = self._copies / fresh.id
            if place.is_dir():
                return self.open(fresh.id)
            target.rename(place)
        files.flush(place)
        return self.open(fresh.id)

    def open(self, identity: str) -> Checkpoint:
        """Verify and return the service's own copy of the checkpoint with that id."""
        found = self._read(self._copies / identity, identity.partition("@")[0])
        if found.id != identity:
            raise CheckpointRefused(
                f"the service's copy of {identity} was altered: delete it in {self._copies.name}/ of the data folder,"
                f" put the checkpoint into {self._folder.name}/ and reload it"
            )
        return found

    def forget(self, keep: set[str]) -> None:
        """Delete the service's own copies of all checkpoints but those with the ids in `keep`."""
        for path in self._copies.iterdir():
            if path.name not in keep and not path.name.startswith(files.INCOMING):
                shutil.rmtree(path)

    def accept(self, name: str, upload: Path) -> Checkpoint:
        """Put the uploaded zip into the registry as `name`, whole or not at all, replacing an earlier upload.

        Raises CheckpointRefused if it is not a checkpoint, Conflict if a folder has that name.
        """
        check_name(name, "name")
        if (self._folder / name).is_dir():
            raise is_folder(name, f"{self._folder.name}/")
        with files.new_folder(self._copies) as trial:
            self._unpack(upload, trial)
            found = self._read(trial, name)
        files.flush(upload)
        self._observer.step("upload.received")
        place = self._folder / f"{name}.zip"
        upload.replace(place)
        files.flush(place)
        self._observer.step("upload.placed")
        return found

    def upload_file(self, size: int) -> Path:
        """A new path for an upload of `size` bytes, which the caller deletes in the end.

        Raises InsufficientResources if the disk is too full for it.
        """
        self._headroom.at(self._folder).require_disk(size)
        return files.new_file(self._folder)

    def list(self) -> list[Listing]:
        """All checkpoints, by name; the first time it hashes each of them."""
        found: dict[str, tuple[Literal["folder", "zip", "bundled", "kept"], Path]] = {}
        for path in sorted(self._folder.iterdir()):
            name = path.name.removesuffix(".zip")
            if not NAME.fullmatch(name):
                continue
            if path.is_dir():
                found[name] = ("folder", path)
            elif path.suffix == ".zip":
                found.setdefault(name, ("zip", path))
        base = bundled.base_folder()
        if base is not None:
            found.setdefault(bundled.BASE, ("bundled", base))
        for path in sorted(self._copies.iterdir()):
            if path.is_dir() and "@" in path.name:
                found[path.name] = ("kept", path)
        every = [self._listing(name, source, path) for name, (source, path) in sorted(found.items())]
        copies = {each.name for each in every if each.source == "kept"}
        named = {each.checkpoint.id for each in every if each.checkpoint and each.source != "kept"}
        return [
            replace(each, copied=each.checkpoint is not None and each.checkpoint.id in copies)
            for each in every
            if each.source != "kept" or each.name not in named
        ]

    def remove(self, name: str, used: set[str]) -> None:
        """Delete what `list` shows as `name`, the service's copy of it included.

        `used` are ids of checkpoints that are needed. Raises NotFound if there is none, Conflict if it is needed or
        bundled.
        """
        listing = next((each for each in self.list() if each.name == name), None)
        if listing is None:
            raise not_listed(name)
        if listing.source == "bundled":
            raise is_bundled(name)
        identity = listing.checkpoint.id if listing.checkpoint else name
        if identity in used:
            raise Conflict(
                f"{identity} is used by a generation or a reload: it can be deleted when GET /admin/generations says"
                " that each generation of it is released",
                "name",
            )
        places = [self._folder / name, self._folder / f"{name}.zip", self._copies / identity]
        for place in places if listing.source != "kept" else places[2:]:
            if place.is_dir() and not place.is_symlink():
                files.delete_folder(place)
            else:
                place.unlink(missing_ok=True)

    def _listing(self, name: str, source: Literal["folder", "zip", "bundled", "kept"], path: Path) -> Listing:
        inside = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        states = ((file, file.stat()) for file in inside)
        key = (name, *(f"{file}:{state.st_size}:{state.st_mtime_ns}" for file, state in states))
        if key not in self._listed:
            try:
                self._listed[key] = self._inspect(path, name.partition("@")[0])
            except CheckpointRefused as refusal:
                self._listed[key] = refusal
        known = self._listed[key]
        if isinstance(known, CheckpointRefused):
            return Listing(name, source, None, known.message)
        return Listing(name, source, known)

    def _inspect(self, path: Path, name: str) -> Checkpoint:
        if path.is_dir():
            return self._read_source(path, name)
        with files.new_folder(self._copies) as trial:
            self._unpack(path, trial)
            return self._read(trial, name)

    def _unpack(self, found: Path, target: Path) -> None:
        self._headroom.require_disk(min(archive.unpacked_size(found), self.max_size))
        archive.unpack(found, target, self.max_size)

    def _read(self, folder: Path, name: str) -> Checkpoint:
        found = checkpoint.read(folder, name)
        if self._trusted is not None and found.digest != self._bundled:
            self._trusted.require(found)
        return found

    @cached_property
    def _bundled(self) -> str | None:
        """The digest of the bundled base model."""
        base = bundled.base_folder()
        return None if base is None else checkpoint.read(base, bundled.BASE).digest

    def _read_source(self, folder: Path, name: str) -> Checkpoint:
        found = self._read(folder, name)
        if found.size > self.max_size:
            raise CheckpointRefused(f"{name} has {found.size} bytes: raise INSTAR_LIMITS__CHECKPOINT to allow that")
        if folder == bundled.base_folder():
            bundled.require_official_weights(found)
        return found

    def _locate(self, model: str) -> Path:
        """The folder or zip of the checkpoint with that name or id."""
        name, _, digest = model.partition("@")
        if is_hub_name(model):
            return hub_folder(model, allow_download=self._allow_hub)
        check_name(name)
        if digest and (self._copies / model).is_dir():
            return self._copies / model
        for place in (self._folder / name, self._folder / f"{name}.zip"):
            if place.exists():
                return place
        base = bundled.base_folder()
        if name == bundled.BASE and base is not None:
            return base
        known = sorted(
            {path.name.removesuffix(".zip") for path in self._folder.iterdir() if path.name[0] != "."} | {bundled.BASE}
        )
        raise not_in_folder(model, self._folder.name, known)
