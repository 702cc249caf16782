"""A file that processes of several users change: one process at a time, and it stays whose it is.

A file that is replaced in one step is a new one. It would belong to who runs the command, root for example, and the
service could not read it any more.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from service.machine.files import replacing_file

_ROOT = 0
# Root works in folders of other users, whose links must not lead it elsewhere: it writes to files alone that it makes.
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL


class OwnerLost(PermissionError):
    """A changed file would not belong to whom the file belongs."""


class LockClosed(OSError):
    """The lock beside a file is there and cannot be opened. It is the `filename` of the error."""


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Wait until no other process changes the file, and keep all others off it until the block ends.

    Raises OwnerLost if this user could not replace the file, LockClosed if the lock beside it cannot be opened, and
    OSError if it cannot be made.
    """
    status = _status(path)
    if status is not None:
        # A file system may map owners, so a file that is made there says whose it would be.
        with TemporaryFile(dir=path.parent) as trial:
            _give(trial.fileno(), status, must=True)
    descriptor = _opened(path.with_name(f".{path.name}.lock"), status or path.parent.stat())
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        # A process that was forked meanwhile has the file open, too, and would hold the lock on.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def replace_owned(path: Path, content: str) -> None:
    """Replace the file as `replace_file` does. The new one has the owner, the group and the permissions of the former.

    Without a former its owner alone can read it, and root gives it to the owner of the folder. Raises OwnerLost if it
    cannot be given, and OSError.
    """
    with replacing_file(path) as incoming:
        incoming.unlink(missing_ok=True)
        with os.fdopen(os.open(incoming, _NEW, 0o600), "w", encoding="utf-8") as file:
            former = _status(path)
            _give(file.fileno(), former or path.parent.stat(), must=former is not None)
            if former is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(former.st_mode))
            file.write(content)


def _opened(lock: Path, whose: os.stat_result) -> int:
    """Open the file of the lock; a new one goes to the owner of the file that it guards, who has to open it, too."""
    try:
        descriptor = os.open(lock, _NEW, 0o600)
    except FileExistsError:
        try:
            return os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
        except OSError as error:
            raise LockClosed(error.errno, error.strerror, str(lock)) from error
    _give(descriptor, whose, must=False)
    return descriptor


def _give(descriptor: int, whose: os.stat_result, *, must: bool) -> None:
    """Give a new file the owner and the group of another one; only root can for one that is not there yet."""
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) == (whose.st_uid, whose.st_gid) or not (must or os.geteuid() == _ROOT):
        return
    try:
        os.fchown(descriptor, whose.st_uid, whose.st_gid)
    except OSError as error:
        if must:
            raise OwnerLost from error


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
