"""The registry: every checkpoint that there is, the service's own copies of those that it runs, and uploads.

A checkpoint is copied into the data folder and verified there before it runs. People may overwrite or delete
`CHECKPOINTS_DIR/NAME` at any time, while a generation needs its checkpoint again at the next start.
"""

import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Literal

from service.checkpoints import archive, bundled, checkpoint
from service.checkpoints.checkpoint import Checkpoint
from service.checkpoints.contents import REPORT
from service.checkpoints.errors import has_no_report, is_bundled, is_folder, not_listed
from service.checkpoints.lookup import Lookup, require_id
from service.checkpoints.names import NAME, check_name
from service.checkpoints.report import read_report
from service.checkpoints.signature import Signature
from service.errors import CheckpointRefused, Conflict
from service.machine import files
from service.machine.resources import Headroom
from service.observability.observer import Observer, Unobserved

Source = Literal["folder", "zip", "bundled", "kept"]


@dataclass(frozen=True)
class Listing:
    """One line of `GET /admin/models`: a checkpoint, or what is wrong with it.

    `copied` says whether the service has a copy of its own, besides the source. `changed` is when its files were last
    written, in seconds since 1970.
    """

    name: str
    source: Source
    checkpoint: Checkpoint | None
    changed: float
    problem: str | None = None
    copied: bool = False
    signature: Signature = "none"


class Registry:
    """Installs, lists and deletes checkpoints, and takes uploads."""

    def __init__(self, lookup: Lookup, headroom: Headroom | None = None, observer: Observer | None = None) -> None:
        """Make the folders of `lookup`.

        Copies and uploads leave `headroom` free on their disks; None: they may fill the disks.
        """
        self._lookup = lookup
        self._folder = lookup.folder
        self._copies = lookup.copies
        self._headroom = (headroom or Headroom(0, 0, self._copies)).at(self._copies)
        self._observer = observer or Unobserved()
        self._verdicts: dict[tuple[str, ...], Checkpoint | CheckpointRefused] = {}
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()
        for folder in (self._folder, self._copies):
            folder.mkdir(parents=True, exist_ok=True)
            files.sweep(folder)

    @property
    def max_size(self) -> int:
        """The most bytes that a checkpoint may have."""
        return self._lookup.max_size

    def require(self, model: str, param: str = "model") -> None:
        """Raise NotFound or InvalidRequest, about the field `param`, if no checkpoint can have the name or id `model`.

        A Hugging Face name always passes, because asking for it may take long.
        """
        self._lookup.require(model, param)

    def open(self, identity: str) -> Checkpoint:
        """Verify and return the service's own copy of the checkpoint with the id; raises as `Lookup.open`."""
        return self._lookup.open(identity)

    def is_lost(self, identity: str) -> bool:
        """Say whether the service's own copy of the checkpoint with the id is gone, or not as it was installed.

        Nobody asks who signed it. A copy that cannot be read is not known to be lost: a later attempt may succeed.
        """
        copy = self._copies / identity
        try:
            # Verification takes some files that cannot be read for files that are not there.
            files.read_all(copy)
            return checkpoint.read(copy, identity.partition("@")[0]).id != identity
        except (CheckpointRefused, FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False

    def install(self, model: str) -> Checkpoint:
        """Verify the checkpoint with the name or id `model`, and return the service's own copy of it.

        Raises NotFound if there is none, CheckpointRefused if it is not fit, InsufficientResources if the disk has no
        room for the copy.
        """
        source = self._lookup.find(model)
        if source.parent == self._copies:
            return self.open(model)
        name = check_name(model.rpartition("/")[2].partition("@")[0])
        with files.new_folder(self._copies) as incoming:
            installed = self._copy(source, incoming, name)
            require_id(installed, model)
            self._observer.step("reload.copied")
            copy = self._copies / installed.id
            if copy.is_dir():
                return self.open(installed.id)
            incoming.rename(copy)
        files.flush(copy)
        return self.open(installed.id)

    @contextmanager
    def hold(self, identity: str) -> Iterator[None]:
        """Within the block, nobody forgets the checkpoint with the id, which may be loaded meanwhile.

        Without tokenizer files, transformers makes a tokenizer to which every word is unknown, and says nothing.
        """
        with self._lock:
            self._held[identity] += 1
        try:
            yield
        finally:
            with self._lock:
                self._held[identity] -= 1

    def forget(self, keep: set[str]) -> set[str]:
        """Delete the service's own copies of all checkpoints but those with the ids in `keep`, and of those held.

        Returns the ids of both.
        """
        with self._lock:
            kept = keep | {identity for identity, holders in self._held.items() if holders}
            unused = [copy for copy in self._copies.iterdir() if copy.name not in kept]
            forgotten = [files.set_aside(copy) for copy in unused if not copy.name.startswith(files.INCOMING)]
        for folder in forgotten:
            shutil.rmtree(folder)
        return kept

    def accept(self, name: str, upload: Path) -> Checkpoint:
        """Put the uploaded zip into the checkpoints folder as `name`, whole or not at all.

        It replaces an earlier upload. Raises CheckpointRefused if it is no checkpoint, Conflict if a folder has the
        name.
        """
        check_name(name, "name")
        if (self._folder / name).is_dir():
            raise is_folder(name, f"{self._folder.name}/")
        uploaded = self._read_zip(upload, name)
        files.flush(upload)
        self._observer.step("upload.received")
        path = self._folder / f"{name}.zip"
        upload.replace(path)
        files.flush(path)
        self._observer.step("upload.placed")
        return uploaded

    def upload_file(self, size: int) -> Path:
        """A new path for an upload of `size` bytes, which the caller deletes in the end.

        Raises InsufficientResources if the disk has no room for it.
        """
        self._headroom.at(self._folder).require_disk(size)
        return files.new_file(self._folder)

    def list(self) -> list[Listing]:
        """All checkpoints, by name. The first call hashes each of them."""
        listings = [self._listing(name, source, path) for name, (source, path) in sorted(self._sources().items())]
        copies = {listing.name for listing in listings if listing.source == "kept"}
        named = {listing.checkpoint.id for listing in listings if listing.checkpoint and listing.source != "kept"}
        return [
            replace(listing, copied=listing.checkpoint is not None and listing.checkpoint.id in copies)
            for listing in listings
            if listing.source != "kept" or listing.name not in named
        ]

    def report(self, name: str) -> bytes:
        """The report of the checkpoint that `list` shows as `name`: a page in HTML, which may hold anything.

        Raises NotFound if there is no such checkpoint or if it has no report, CheckpointRefused if the report is not
        the one that its manifest names.
        """
        source, path = self._sources().get(name, (None, self._folder))
        if source is None:
            raise not_listed(name)
        verified = self._listing(name, source, path).checkpoint
        if verified is None or REPORT not in verified.files:
            raise has_no_report(name)
        content = read_report(path)
        if sha256(content).hexdigest() != verified.files[REPORT]:
            raise CheckpointRefused(f"the report of {name} changed while it was read: ask again")
        return content

    def remove(self, name: str, used: set[str]) -> None:
        """Delete the checkpoint that `list` shows as `name`, and the service's own copy of it.

        `used` are the ids of checkpoints that are needed. Raises NotFound if there is no such checkpoint, Conflict if
        it is needed or bundled.
        """
        listing = next((listing for listing in self.list() if listing.name == name), None)
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
        paths = [self._folder / name, self._folder / f"{name}.zip", self._copies / identity]
        for path in paths if listing.source != "kept" else paths[2:]:
            if path.is_dir() and not path.is_symlink():
                files.delete_folder(path)
            else:
                path.unlink(missing_ok=True)

    def _sources(self) -> dict[str, tuple[Source, Path]]:
        """Everything that may be a checkpoint, by name: where it comes from, and its folder or zip."""
        sources: dict[str, tuple[Source, Path]] = {}
        for path in sorted(self._folder.iterdir()):
            name = path.name.removesuffix(".zip")
            if not NAME.fullmatch(name):
                continue
            if path.is_dir():
                sources[name] = ("folder", path)
            elif path.suffix == ".zip":
                sources.setdefault(name, ("zip", path))
        base = bundled.base_folder()
        if base is not None:
            sources.setdefault(bundled.BASE, ("bundled", base))
        for copy in sorted(self._copies.iterdir()):
            if copy.is_dir() and "@" in copy.name:
                sources[copy.name] = ("kept", copy)
        return sources

    def _listing(self, name: str, source: Source, path: Path) -> Listing:
        """The line for the folder or zip at `path`, which is read again only after one of its files has changed."""
        inside = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        states = [(file, file.stat()) for file in inside]
        changed = max((state.st_mtime for _, state in states), default=path.stat().st_mtime)
        key = (name, *(f"{file}:{state.st_size}:{state.st_mtime_ns}" for file, state in states))
        if key not in self._verdicts:
            try:
                self._verdicts[key] = self._read(path, name.partition("@")[0])
            except CheckpointRefused as refusal:
                self._verdicts[key] = refusal
        verdict = self._verdicts[key]
        if isinstance(verdict, CheckpointRefused):
            return Listing(name, source, None, changed, verdict.message)
        return Listing(name, source, verdict, changed, signature=self._lookup.signature(verdict))

    def _read(self, path: Path, name: str) -> Checkpoint:
        return self._lookup.read_source(path, name) if path.is_dir() else self._read_zip(path, name)

    def _read_zip(self, path: Path, name: str) -> Checkpoint:
        with files.new_folder(self._copies) as unpacked:
            self._unpack(path, unpacked)
            return self._lookup.read(unpacked, name)

    def _copy(self, source: Path, incoming: Path, name: str) -> Checkpoint:
        """Copy the folder or unpack the zip `source` into the folder `incoming`, and verify the copy."""
        if not source.is_dir():
            self._unpack(source, incoming)
            files.flush(incoming)
            return self._lookup.read(incoming, name)
        original = self._lookup.read_source(source, name)
        self._headroom.require_disk(original.size)
        checkpoint.copy(source, incoming)
        copied = self._lookup.read(incoming, name)
        if copied.digest != original.digest:
            raise CheckpointRefused(f"{name} changed while it was read: reload when nothing writes to it")
        return copied

    def _unpack(self, archived: Path, folder: Path) -> None:
        self._headroom.require_disk(min(archive.unpacked_size(archived), self.max_size))
        archive.unpack(archived, folder, self.max_size)
