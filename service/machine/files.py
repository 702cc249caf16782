"""Files and folders that appear whole or not at all."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# How the names of files and folders begin while they are being written or deleted.
INCOMING = ".incoming-"


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
    """Delete what a process that ended in the middle of `new_folder`, `new_file` or `delete_folder` has left."""
    for path in parent.glob(f"{INCOMING}*"):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def delete_folder(path: Path) -> None:
    """Delete a folder as a whole: after a crash it is there or gone, and `sweep` deletes what is left of it."""
    doomed = path.with_name(f"{INCOMING}deleted-{path.name}")
    path.rename(doomed)
    shutil.rmtree(doomed)


def replace_file(path: Path, content: str, *, mode: int = 0o666) -> None:
    """Replace or create the file in one step that survives a power cut, with the permissions `mode`; raises OSError."""
    temporary = path.with_name(f"{INCOMING}{path.name}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def flush(folder: Path) -> None:
    """Sync to the disk, so that everything below `folder`, and its name in its parent, survives a power cut."""
    for path in [*folder.rglob("*"), folder, folder.parent]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
