"""Files and folders that appear whole or not at all."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# How the names of files and folders begin while they are being written or deleted.
INCOMING = ".incoming-"
# A folder that belongs to root at the top of each ext4 volume.
OF_FILE_SYSTEM = "lost+found"


@contextmanager
def new_folder(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, to be filled and renamed; at the end it is deleted, unless it was renamed."""
    path = Path(tempfile.mkdtemp(prefix=INCOMING, dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def new_file(parent: Path) -> Path:
    """A new, empty file in `parent`, to be filled and renamed; the caller deletes it if it fails before that."""
    descriptor, path = tempfile.mkstemp(prefix=INCOMING, dir=parent)
    os.close(descriptor)
    return Path(path)


def sweep(parent: Path) -> None:
    """Delete the leftovers of a process that ended in the middle of `new_folder`, `new_file` or `delete_folder`."""
    for path in parent.glob(f"{INCOMING}*"):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def delete_folder(path: Path) -> None:
    """Delete a folder as a whole: after a crash it is there or not, and `sweep` deletes the leftovers."""
    shutil.rmtree(set_aside(path))


def empty_folder(path: Path) -> None:
    """Delete what is in a folder, and the folder; a mount point stays, and so does a link with what it leads to.

    Raises OSError if anything is left in it but what a file system keeps there itself.
    """
    for child in list(path.iterdir()) if path.exists() else []:
        if not child.is_dir() or child.is_symlink():
            child.unlink()
        elif child.name != OF_FILE_SYSTEM:
            shutil.rmtree(child)
    with suppress(OSError):
        path.rmdir()


def set_aside(path: Path) -> Path:
    """Rename a folder to what `sweep` deletes, in no time; the caller deletes it under the name that is returned."""
    doomed = path.with_name(f"{INCOMING}deleted-{path.name}")
    path.rename(doomed)
    return doomed


def replace_file(path: Path, content: str, *, mode: int = 0o666) -> None:
    """Replace or create the file as `replacing_file` does, with the permissions `mode`; raises OSError."""
    with replacing_file(path) as incoming:
        descriptor = os.open(incoming, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)


def beginning_of(path: Path) -> Path:
    """The name beside `path` under which it is written whole; a kill may leave it."""
    return path.with_name(f".{path.name}.incoming")


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Write a new file to the path that is yielded; it replaces `path` in one step when the block ends.

    After a power cut `path` is the old file or the new one, whole. A block that raises leaves `path` as it was. `sweep`
    does not touch the new file: a service that starts may sweep a folder of checkpoints while the trainer writes there.
    """
    incoming = beginning_of(path)
    try:
        yield incoming
        _sync(incoming)
        incoming.replace(path)
    finally:
        incoming.unlink(missing_ok=True)


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """A new folder beside `path`, to be filled and renamed to it; at the end it is deleted, unless it was renamed.

    Its permissions are those of any new folder, and its name depends on `path` alone: the next call for `path` deletes
    what a crash has left. `sweep` does not touch it, for the reason that `replacing_file` gives.
    """
    incoming = beginning_of(path)
    shutil.rmtree(incoming, ignore_errors=True)
    try:
        incoming.mkdir(parents=True)
        yield incoming
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def replace_folder(path: Path, incoming: Path) -> None:
    """Flush the folder `incoming`, rename it to `path`, and delete the folder that was there.

    `path` never holds a part of a folder. A crash between the two renames leaves nothing at `path`.
    """
    outgoing = path.with_name(f".{path.name}.outgoing")
    shutil.rmtree(outgoing, ignore_errors=True)
    flush(incoming)
    if path.exists():
        path.rename(outgoing)
    incoming.rename(path)
    flush(path)
    shutil.rmtree(outgoing, ignore_errors=True)


def flush(folder: Path) -> None:
    """Sync to the disk, so that everything below `folder`, and its name in its parent, survives a power cut."""
    for path in [*folder.rglob("*"), folder, folder.parent]:
        _sync(path)


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_all(folder: Path) -> None:
    """Read every file below the folder; raises the OSError of the first one that cannot be read."""
    for path in folder.iterdir():
        if path.is_dir():
            read_all(path)
        else:
            checksum(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
