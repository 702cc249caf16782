"""The file of searches and feedback. Once it is damaged or gone, each use says so, and none makes it worse."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.corpus.errors import Damaged
from service.corpus.sqlite.sqlite_file import SqliteFile
from service.errors import StorageFailed
from service.learning.sqlite.schema import SCHEMA

NAME = "the database of searches and feedback"
_CHECK_EVERY_SECONDS = 0.5
# Python's own words would have a piece of the row, which may be what a user wrote.
_NO_SENSE = "a row that makes no sense"


class FeedbackFile:
    """Lends the database at `path`, which is opened by the first use that can. Safe from any thread.

    All uses raise StorageFailed or InsufficientResources, which say what to do. After damage was met, every use is
    refused: a write could spread it, and an answered event be lost in it. SQLite calls it damage, too, when a disk
    fails for a moment. So the file is looked through now and then, and taken for sound again if it is.
    """

    def __init__(self, path: Path, *, is_made: bool = False) -> None:
        """With `is_made` the tables are there."""
        self._path = path
        self._is_made = is_made
        self._opening = threading.Lock()
        self._opened: SqliteFile | None = None
        # The files as they were when they were opened.
        self._inodes: list[tuple[int, int] | None] = []
        self._damage: object = None
        self._checking = threading.Lock()
        self._check_after = 0.0

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction: committed and on the disk at the end, rolled back on an error."""
        with self._watched(), _fitting(), self._file().write() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection for reading. Rows that cannot be understood within the block are damage, too."""
        with self._watched(), _fitting(), self._file().read() as connection:
            try:
                yield connection
            except UnicodeEncodeError:
                # The caller's own value is at fault, and not what was stored.
                raise
            except (ValueError, TypeError, OverflowError) as error:
                raise Damaged(NAME, _NO_SENSE) from error

    def vacuum(self) -> None:
        """Write the file again, without anything that was deleted, and empty its WAL."""
        with self._watched():
            self._file().vacuum()

    def check(self) -> None:
        """Look through the whole file. Raises StorageFailed if it is damaged."""
        with self._watched():
            self._look_through()

    def size(self) -> int:
        """Return the bytes of the file."""
        with self._watched():
            return self._file().size()

    def backup(self, target: Path) -> None:
        """Write one moment of the file to the new file `target`, while others go on to write."""
        with self._watched():
            self._file().backup(target)

    def close(self) -> None:
        """Close the file, if it was opened."""
        if self._opened is not None:
            self._opened.close()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Say of damage within the block what to do about it, and refuse every use after it."""
        if self._damage is not None and not self._is_sound_again():
            raise damaged(self._path.name, self._damage)
        try:
            yield
        except Damaged as error:
            # A file that could not be opened may be put right without a restart.
            if self._opened is not None:
                self._damage, self._check_after = error.reason, time.monotonic() + _CHECK_EVERY_SECONDS
            raise damaged(self._path.name, error.reason) from error

    def _is_sound_again(self) -> bool:
        """Say whether it was the disk alone that failed. One thread looks, and the others do not wait for it."""
        if (
            self._damage == _NO_SENSE
            or time.monotonic() < self._check_after
            or not self._checking.acquire(blocking=False)
        ):
            return False
        try:
            self._look_through()
        except StorageFailed:
            self._check_after = time.monotonic() + _CHECK_EVERY_SECONDS
            return False
        finally:
            self._checking.release()
        self._damage = None
        return True

    def _look_through(self) -> None:
        with self._file().read() as connection:
            (harm,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if harm != "ok":
            raise Damaged(NAME, " ".join(harm.split()))

    def _file(self) -> SqliteFile:
        with self._opening:
            if self._opened is None:
                self._opened = self._open()
                self._inodes = self._present()
            elif self._present() != self._inodes:
                raise replaced(self._path.name)
            return self._opened

    def _open(self) -> SqliteFile:
        file = SqliteFile(self._path, NAME)
        try:
            if not self._is_made:
                file.overwrite_deleted()
                with file.write() as connection:
                    for statement in SCHEMA.split(";"):
                        connection.execute(statement)
        except BaseException:
            file.close()
            raise
        return file

    def _present(self) -> list[tuple[int, int] | None]:
        """Device and inode of the database and its WAL: SQLite would go on writing to files that are deleted."""
        return [_inode(path) for path in (self._path, self._path.with_name(f"{self._path.name}-wal"))]


@contextmanager
def _fitting() -> Iterator[None]:
    """Turn what SQLite says of statements that do not fit the file into damage: the statements are always the same."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", None)
        # Without a code it is an error of Python's module: a text that is not UTF-8.
        if code is None:
            raise Damaged(NAME, _NO_SENSE) from error
        if code == sqlite3.SQLITE_ERROR:
            raise Damaged(NAME, error) from error
        raise


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def damaged(file: str, reason: object) -> StorageFailed:
    """The file is not as it was written."""
    return StorageFailed(
        f"{NAME} is damaged ({reason}): move {file} away, or put a sound copy in its place, then restart the service"
    )


def replaced(file: str) -> StorageFailed:
    """The file, or its WAL, is no longer the one that was opened."""
    return StorageFailed(
        f"{NAME} was removed or replaced while the service runs: restart the service, which opens or begins {file}"
    )
