"""Backups: one consistent archive of a running service, and the way back from it to a data folder.

The archive is a tar. It holds the corpus, the service's own copies of the checkpoints of its active and retained
generations, and, unless it is asked not to, what users did, with the key of their hashes. A list of all files with
their hashes comes last; an archive without it is not whole. The archive has no vectors: the service embeds the
documents again.
"""

import hashlib
import logging
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Literal, Protocol

from pydantic import BaseModel, ValidationError

from service.checkpoints.contents import FILE_KINDS, REPORT
from service.corpus.base import CorpusStore
from service.errors import Conflict, InvalidRequest, StorageFailed
from service.index.origin import forget_derived
from service.machine import files
from service.machine.folder_lock import locked
from service.machine.resources import Headroom
from service.settings.data_folder import DataFolder

log = logging.getLogger(__name__)

_LIST = "backup.json"
_CHUNK = 1 << 20
# An archive names its files by their paths below a data folder.
_NAMES = DataFolder(Path())


class UsersData(Protocol):
    """The searches and events of users, as far as a backup knows them."""

    def size(self) -> int:
        """Return the bytes that a backup takes. Raises StorageFailed if they cannot be read."""

    def backup(self, target: Path) -> None:
        """Write one moment of them to the new file `target`. Raises StorageFailed if they cannot be read."""


class Listed(BaseModel):
    """The end of an archive: the SHA-256 of every file in it, by name."""

    format: Literal[1] = 1
    files: dict[str, str]


@dataclass(frozen=True)
class Snapshot:
    """The files below `folder`, which nobody changes any more."""

    folder: Path

    def stream(self) -> Iterator[bytes]:
        """The archive, in parts of at most 1 MiB."""
        hashes = {}
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            name = path.relative_to(self.folder).as_posix()
            digest = hashlib.sha256()
            yield _header(name, path.stat().st_size)
            with path.open("rb") as file:
                while part := file.read(_CHUNK):
                    digest.update(part)
                    yield part
            yield _padding(path.stat().st_size)
            hashes[name] = digest.hexdigest()
        listed = Listed(files=hashes).model_dump_json().encode()
        yield _header(_LIST, len(listed)) + listed + _padding(len(listed)) + bytes(2 * tarfile.BLOCKSIZE)

    def remove(self) -> None:
        shutil.rmtree(self.folder)


def take(corpus: CorpusStore, users_data: UsersData | None, data_folder: DataFolder, headroom: Headroom) -> Snapshot:
    """Make a snapshot of the corpus at one moment between two writes, and of its checkpoints. Writes go on.

    The data of users is of a moment just before, so that its documents are there; None leaves it out. Raises
    InsufficientResources if the copies would not leave `headroom` free, StorageFailed if one cannot be read.
    """
    headroom.require_disk(corpus.size() + _size(users_data))
    folder = Path(tempfile.mkdtemp(prefix=files.INCOMING, dir=data_folder.path))
    try:
        snapshot = DataFolder(folder)
        if users_data is not None:
            _copy_users_data(users_data, data_folder, snapshot)
        lost = set[str]()
        while (model := _copy(corpus, data_folder, snapshot, lost)) is not None:
            lost.add(model)
            shutil.rmtree(snapshot.checkpoints, ignore_errors=True)
            snapshot.corpus.unlink()
    except BaseException:
        shutil.rmtree(folder)
        raise
    return Snapshot(folder)


def clear(data_folder: DataFolder) -> None:
    """Delete what a crash has left of snapshots and restores."""
    files.sweep(data_folder.path)


def restore(archive: IO[bytes], data_folder: DataFolder, damage: Callable[[Path], str | None]) -> None:
    """Make a data folder out of the archive. All files are verified before the first one comes into its place.

    Graphs, words and maps of a corpus that was there before are deleted. `damage` returns what is wrong with the corpus
    at a path, or None. Raises Conflict if the folder has a database or vectors, DataFolderInUse if a process works on
    it, InvalidRequest if the archive is not whole.
    """
    with locked(data_folder):
        _refuse_stores(data_folder)
        clear(data_folder)
        with files.new_folder(data_folder.path) as folder:
            unpacked = DataFolder(folder)
            _unpack(archive, folder)
            for database in filter(Path.exists, (unpacked.corpus, unpacked.learning)):
                _refuse_damage(database.name, damage(database))
            files.flush(folder)
            forget_derived(data_folder)
            data_folder.checkpoints.mkdir(exist_ok=True)
            for checkpoint in unpacked.checkpoints.iterdir():
                if not (data_folder.checkpoints / checkpoint.name).exists():
                    checkpoint.rename(data_folder.checkpoints / checkpoint.name)
            if unpacked.pseudonyms_key.exists():
                unpacked.pseudonyms_key.chmod(0o600)
                unpacked.pseudonyms_key.rename(data_folder.pseudonyms_key)
            if unpacked.learning.exists():
                unpacked.learning.rename(data_folder.learning)
            # The corpus comes last, because a folder with a corpus is a service's.
            unpacked.corpus.rename(data_folder.corpus)
            files.flush(data_folder.checkpoints)


def _refuse_stores(data_folder: DataFolder) -> None:
    """Raise Conflict if a database or vectors are there, or what SQLite keeps beside a database and would replay."""
    there = [str(path) for path in data_folder.stores() if path.exists()]
    if there:
        move = "exists: move it away" if len(there) == 1 else "exist: move them away together"
        raise Conflict(f"{', '.join(there)} {move}, or set INSTAR_DATA_DIR to a new folder")


def _copy(corpus: CorpusStore, data_folder: DataFolder, snapshot: DataFolder, lost: Set[str]) -> str | None:
    """Copy the corpus and the checkpoints that it needs; returns one that cannot be copied, unless it is `lost`.

    It may have been released and deleted meanwhile. One that is `lost` and gone is left out if its generation is
    retained, because a start releases such a generation; otherwise this raises StorageFailed.
    """
    records = [record for record in corpus.backup(snapshot.corpus) if record.state != "released"]
    active = {record.model for record in records if record.state == "active"}
    for model in dict.fromkeys(record.model for record in records):
        kept = data_folder.checkpoints / model
        try:
            # Hard links are enough, because the service's own copies never change.
            shutil.copytree(kept, snapshot.checkpoints / model, copy_function=os.link)
        except OSError as error:
            if model not in lost:
                return model
            if model in active or not isinstance(error, FileNotFoundError):
                # `copytree` lists what each file came to.
                reason = error.args[0][0][2] if isinstance(error, shutil.Error) else error
                raise StorageFailed(
                    f"the checkpoint {kept} cannot be copied ({reason}): put its files back, check the disk, or"
                    " reload another checkpoint, then try again"
                ) from error
            log.warning("the backup is without the checkpoint %s of a retained generation: %s", model, error)
    return None


def _size(users_data: UsersData | None) -> int:
    try:
        return 0 if users_data is None else users_data.size()
    except StorageFailed as error:
        raise StorageFailed(f"{error.message}, or save the rest with ?feedback=false") from error


def _copy_users_data(users_data: UsersData, data_folder: DataFolder, snapshot: DataFolder) -> None:
    users_data.backup(snapshot.learning)
    try:
        shutil.copy(data_folder.pseudonyms_key, snapshot.pseudonyms_key)
    except FileNotFoundError:
        # Nobody has named a user or a session yet.
        return


def _unpack(archive: IO[bytes], folder: Path) -> None:
    """Write the files of the archive and compare them with its list; raises InvalidRequest."""
    hashes: dict[str, str] = {}
    listed: bytes | None = None
    try:
        with tarfile.open(fileobj=archive, mode="r|") as source:
            for entry in source:
                content = source.extractfile(entry)
                if content is None or not entry.isreg() or entry.name in hashes or listed is not None:
                    raise InvalidRequest(f"{entry.name!r} does not belong into a backup: do not trust its source")
                if entry.name == _LIST:
                    listed = content.read()
                else:
                    hashes[entry.name] = _write(content, folder / _safe(entry.name))
        expected = Listed.model_validate_json(listed or b"").files
    except (tarfile.TarError, ValidationError, EOFError) as error:
        raise InvalidRequest("the file is no backup, or is not whole: download it again") from error
    if hashes != expected or str(_NAMES.corpus) not in hashes:
        altered = sorted(name for name in hashes.keys() | expected.keys() if hashes.get(name) != expected.get(name))
        raise InvalidRequest(f"the backup was altered ({', '.join(altered[:5])}): download it again")


def _safe(name: str) -> Path:
    """The path of a file below the folder; raises InvalidRequest if a backup has no such file."""
    path = PurePosixPath(name)
    is_known = path.suffix in FILE_KINDS or path.name == REPORT
    in_checkpoint = path.is_relative_to(_NAMES.checkpoints) and len(path.parts) > 2 and is_known
    alone = {str(path) for path in (_NAMES.corpus, _NAMES.learning, _NAMES.pseudonyms_key)}
    belongs = name in alone or in_checkpoint
    if ".." in path.parts or path.is_absolute() or "\\" in name or not belongs:
        raise InvalidRequest(f"{name!r} does not belong into a backup: do not trust its source")
    return Path(*path.parts)


def _write(content: IO[bytes], path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("xb") as file:
        while part := content.read(_CHUNK):
            digest.update(part)
            file.write(part)
    return digest.hexdigest()


def _refuse_damage(name: str, damage: str | None) -> None:
    if damage is not None:
        raise InvalidRequest(f"{name} in the backup is damaged ({damage}): use another backup")


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o600
    return entry.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
