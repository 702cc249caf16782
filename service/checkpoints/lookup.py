"""The lookup of checkpoints by name or id, and the verification of what is there. It changes nothing on the disk.

A name is a folder or a zip in `CHECKPOINTS_DIR`, then the bundled base model, then a Hugging Face name. An id is one of
the service's own copies if there is such a copy.
"""

import tempfile
from functools import cached_property
from pathlib import Path

from service.checkpoints import archive, bundled, checkpoint
from service.checkpoints.checkpoint import Checkpoint
from service.checkpoints.errors import not_in_folder
from service.checkpoints.hub import hub_folder, is_hub_name
from service.checkpoints.names import check_name
from service.checkpoints.signature import Signature, Signers, has_signature
from service.errors import CheckpointRefused, NotFound
from service.settings import Settings


class Lookup:
    """Finds and verifies checkpoints: in `folder`, in the service's own `copies`, in a package, at Hugging Face."""

    def __init__(
        self, folder: Path, copies: Path, *, allow_hub: bool, max_size: int, signers: Signers | None = None
    ) -> None:
        """Refuse checkpoints of over `max_size` bytes, and those that none of the `signers` has signed.

        Without `signers` no signature is checked. The bundled base model needs none, because it comes with the code.
        """
        self.folder = folder
        self.copies = copies
        self.max_size = max_size
        self._allow_hub = allow_hub
        self._signers = signers

    def require(self, model: str, param: str = "model") -> None:
        """Raise NotFound or InvalidRequest, about the field `param`, if no checkpoint can have the name or id `model`.

        A Hugging Face name always passes, because asking for it may take long.
        """
        if not is_hub_name(model):
            self.find(model, param)

    def find(self, model: str, param: str = "model") -> Path:
        """The folder or zip of the checkpoint with the name or id `model`, which the field `param` of a request has.

        Raises NotFound or InvalidRequest.
        """
        if is_hub_name(model):
            return hub_folder(model, allow_download=self._allow_hub)
        name, _, digest = model.partition("@")
        check_name(name, param)
        if digest and (self.copies / model).is_dir():
            return self.copies / model
        for path in (self.folder / name, self.folder / f"{name}.zip"):
            if path.exists():
                return path
        base = bundled.base_folder()
        if name == bundled.BASE and base is not None:
            return base
        raise not_in_folder(model, self.folder.name, sorted({bundled.BASE, *self._names()}), param)

    def verify(self, model: str) -> Checkpoint | None:
        """Verify the checkpoint with the name or id `model` as an installation does, and install nothing.

        The answer is None for a Hugging Face name, which is not asked for. Raises NotFound, InvalidRequest or
        CheckpointRefused.
        """
        if is_hub_name(model):
            return None
        path = self.find(model)
        if path.parent == self.copies:
            return self.open(model)
        name = model.partition("@")[0]
        if path.is_dir():
            verified = self.read_source(path, name)
        else:
            with tempfile.TemporaryDirectory(prefix="instar-check-") as unpacked:
                archive.unpack(path, Path(unpacked), self.max_size)
                verified = self.read(Path(unpacked), name)
        require_id(verified, model)
        return verified

    def open(self, identity: str) -> Checkpoint:
        """Verify and return the service's own copy of the checkpoint with the id.

        Raises NotFound if it is gone, CheckpointRefused if it was altered.
        """
        copy = self.copies / identity
        if not copy.is_dir():
            raise NotFound(f"the checkpoint {identity} is not there: put it at {copy}", "model")
        opened = self.read(copy, identity.partition("@")[0])
        if opened.id != identity:
            raise CheckpointRefused(f"{copy} was altered and is {opened.id} now: copy the checkpoint there again")
        return opened

    def read(self, folder: Path, name: str) -> Checkpoint:
        """Read and verify the checkpoint in `folder`, and its signature; raises CheckpointRefused."""
        verified = checkpoint.read(folder, name)
        if self._signers is not None and verified.digest != self._bundled_digest:
            self._signers.require(verified)
        return verified

    def signature(self, verified: Checkpoint) -> Signature:
        """Say whether a checkpoint that `read` has returned is signed, and whether that was checked."""
        if not has_signature(verified.manifest):
            return "none"
        return "unchecked" if self._signers is None else "trusted"

    def read_source(self, folder: Path, name: str) -> Checkpoint:
        """Read and verify a checkpoint that is no copy of the service; raises CheckpointRefused, also for its size."""
        source = self.read(folder, name)
        if source.size > self.max_size:
            raise CheckpointRefused(
                f"{name} has {source.size} bytes, and {self.max_size} are allowed: raise INSTAR_LIMITS__CHECKPOINT, or"
                " use a smaller checkpoint"
            )
        if folder == bundled.base_folder():
            bundled.require_official_weights(source)
        return source

    @cached_property
    def _bundled_digest(self) -> str | None:
        base = bundled.base_folder()
        return None if base is None else checkpoint.read(base, bundled.BASE).digest

    def _names(self) -> list[str]:
        paths = self.folder.iterdir() if self.folder.is_dir() else ()
        return [path.name.removesuffix(".zip") for path in paths if path.name[0] != "."]


def open_lookup(settings: Settings) -> Lookup:
    """The lookup that the settings ask for; raises SigningKeyError if the file of signers cannot be read."""
    return Lookup(
        settings.checkpoints_dir,
        settings.data_folder.checkpoints,
        allow_hub=settings.allow_hub,
        max_size=settings.limits.checkpoint,
        signers=Signers.read(settings.signers_file) if settings.signers_file else None,
    )


def require_id(verified: Checkpoint, model: str) -> None:
    """Raise NotFound if `model` is an id, and not the id of the checkpoint that was found by its name."""
    if model.partition("@")[2] and verified.id != model:
        raise NotFound(
            f"there is no {model} any more: {verified.name} is {verified.id} now; use that id, or put the former files"
            " back",
            "model",
        )
