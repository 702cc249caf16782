"""The unpacking of a checkpoint's zip, which may be hostile."""

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from service.checkpoints.contents import FILE_KINDS, REPORT
from service.checkpoints.errors import leaves_its_folder
from service.errors import CheckpointRefused

MAX_FILES = 1000
MAX_NAME = 255
# Weights hardly compress, so a file that shrinks a thousandfold is a bomb.
MAX_RATIO = 1000
_CHUNK = 1 << 20
_KNOWN = f"{', '.join(sorted(FILE_KINDS))} files, and {REPORT}"


def unpacked_size(archive: Path) -> int:
    """The bytes that `archive` claims to unpack to; raises CheckpointRefused if it is no zip."""
    try:
        with zipfile.ZipFile(archive) as source:
            return sum(entry.file_size for entry in source.infolist())
    except zipfile.BadZipFile as error:
        raise CheckpointRefused(f"the zip cannot be read ({error}): make and send it again") from error


def unpack(archive: Path, target: Path, max_size: int) -> None:
    """Unpack `archive` into the new folder `target`, at most `max_size` bytes.

    If all files lie in one folder of the archive, they are unpacked without it. Raises CheckpointRefused if an entry is
    anything but a plain file of a known kind inside `target`. Some files may then be there, which the caller deletes.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            entries = [entry for entry in source.infolist() if not entry.is_dir()]
            _check(entries, max_size)
            top = _single_top(entries)
            budget = max_size
            for entry in entries:
                path = target.joinpath(*PurePosixPath(entry.filename).parts[1 if top else 0 :])
                path.parent.mkdir(parents=True, exist_ok=True)
                budget -= _extract(source, entry, path, budget)
    # zipfile raises NotImplementedError for a compression method that it does not have.
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zlib.error) as error:
        raise CheckpointRefused(f"the zip cannot be read ({error}): make and send it again") from error
    except (FileExistsError, NotADirectoryError) as error:
        raise CheckpointRefused("the zip has a file and a folder of one name: do not trust its source") from error


def _check(entries: list[zipfile.ZipInfo], max_size: int) -> None:
    if not entries:
        raise CheckpointRefused("the zip is empty: put a sentence-transformers folder into it")
    if len(entries) > MAX_FILES:
        raise CheckpointRefused(f"the zip has {len(entries)} files, more than {MAX_FILES}: pack the checkpoint alone")
    paths: set[str] = set()
    for entry in entries:
        name = entry.filename
        path = PurePosixPath(name)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name:
            raise leaves_its_folder("the zip has the path", name)
        if any(len(part.encode()) > MAX_NAME for part in path.parts):
            raise CheckpointRefused(f"the zip has a name of over {MAX_NAME} bytes: do not trust its source")
        if kind not in (0, stat.S_IFREG):
            raise CheckpointRefused(f"{name!r} in the zip is a link or a device: pack plain files only")
        if path.suffix not in FILE_KINDS and path.name != REPORT:
            raise CheckpointRefused(f"{name!r} in the zip is of an unknown kind: pack only {_KNOWN}")
        if str(path) in paths:
            raise CheckpointRefused(f"{name!r} is in the zip twice: pack it again")
        if entry.flag_bits & 0x1:
            raise CheckpointRefused(f"{name!r} in the zip is encrypted: pack it without a password")
        if entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
            raise CheckpointRefused(
                f"{name!r} in the zip unpacks to over {MAX_RATIO} times its size: do not trust its source"
            )
        paths.add(str(path))
    if sum(entry.file_size for entry in entries) > max_size:
        raise CheckpointRefused(
            f"the zip unpacks to more than {max_size} bytes: raise INSTAR_LIMITS__CHECKPOINT if that is right"
        )


def _single_top(entries: list[zipfile.ZipInfo]) -> bool:
    tops = {PurePosixPath(entry.filename).parts[0] for entry in entries}
    return len(tops) == 1 and all(len(PurePosixPath(entry.filename).parts) > 1 for entry in entries)


def _extract(source: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, budget: int) -> int:
    """Write one file and return its size, which is counted because the sizes in the zip may lie."""
    written = 0
    with source.open(entry) as packed, path.open("xb") as file:
        while chunk := packed.read(_CHUNK):
            written += len(chunk)
            if written > budget:
                raise CheckpointRefused("the zip unpacks to more than it says: do not trust its source")
            file.write(chunk)
    return written
