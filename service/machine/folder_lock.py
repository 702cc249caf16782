"""The lock that keeps the data folder to one process at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import InstarError
from service.settings.data_folder import DataFolder


class DataFolderInUse(InstarError):
    """Another process works on the data folder."""


@contextmanager
def locked(folder: DataFolder) -> Iterator[None]:
    """Create the data folder and keep other processes off it; raises DataFolderInUse if one works there already."""
    folder.path.mkdir(parents=True, exist_ok=True)
    with folder.lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataFolderInUse(
                f"another Instar uses {folder.path}: stop it, or give this one its own folder with INSTAR_DATA_DIR"
            ) from error
        yield
