"""The keys that belong to a store: of hashes of users, of the console's cookies, and of callers."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from service.errors import Conflict, StorageFailed
from service.machine.files import replace_file
from service.machine.secret_file import read_secret
from service.settings.data_folder import DataFolder


def files_of(folder: DataFolder) -> list[Path]:
    """List the files of keys in the folder, whether they are there or not."""
    return [folder.pseudonyms_key, folder.console_key, folder.keys]


def copy_keys(source: DataFolder, target: DataFolder) -> None:
    """Copy the keys that are there. One that is at the target already stays if it is the same.

    Raises Conflict if it is another one, and StorageFailed if a file cannot be read or written.
    """
    pairs = [pair for pair in zip(files_of(source), files_of(target), strict=True) if pair[0].exists()]
    try:
        for path, copy in pairs:
            if copy.exists() and copy.read_bytes() != path.read_bytes():
                raise Conflict(f"{copy} is another key than {path}: move it away, then move again")
        for path, copy in pairs:
            if not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                replace_file(copy, path.read_text("utf-8"), mode=0o600)
    except OSError as error:
        raise StorageFailed(f"the keys cannot be copied ({error}): let this user read and write them") from error


def digests(folder: DataFolder) -> Iterator[tuple[str, bytes]]:
    """Yield names and hashes of the keys that all replicas must have alike, as PostgreSQL has them.

    Raises StorageFailed if one of them cannot be read.
    """
    for path in (folder.pseudonyms_key, folder.console_key):
        key = read_secret(path, "is damaged: restore it, then move again")
        if key is not None:
            yield path.name, sha256(key).digest()


def require(folder: DataFolder, expected: Mapping[str, bytes]) -> None:
    """Raise Conflict unless the folder has the keys of a store that has these hashes of them."""
    there = dict(digests(folder))
    for name, digest in expected.items():
        if there.get(name) != digest:
            raise Conflict(
                f"{folder.path} has not the {name} of the replicas: name the folder that has it in"
                " INSTAR_REPLICAS__SECRETS_DIR, then move again"
            )
