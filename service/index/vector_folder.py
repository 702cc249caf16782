"""The stored vectors of all document fingerprints: a folder with one file for each (`service.index.stores`)."""

from collections.abc import Set
from pathlib import Path

from service.corpus.base import Seqs
from service.index import vector_file
from service.index.vector_store import VectorStore

# SQLite adds pages and a write-ahead log to the vectors.
_DISK_FACTOR = 1.7


class VectorFolder:
    """Opens, counts and deletes the files. Making a folder object touches no file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open_store(self, fingerprint: str, dimensions: int) -> VectorStore:
        """Open the store of a fingerprint. One that is damaged or has other dimensions is replaced by an empty one."""
        return VectorStore(self._path(fingerprint), dimensions)

    def stored(self, fingerprint: str) -> Seqs:
        """List the sequence numbers that have a vector, ascending; none if the file cannot be read."""
        return vector_file.stored(self._path(fingerprint))

    def highest_stored(self) -> int:
        """Return the highest sequence number that has a vector in any file, 0 without any."""
        return max(map(vector_file.highest, self._folder.glob("*.db")), default=0)

    def fingerprints(self) -> set[str]:
        """Return the fingerprints that have a file."""
        return {path.stem for path in self._folder.glob("*.db")}

    def forget(self, keep: Set[str], spare: int) -> list[str]:
        """Delete all files, except those of `keep` and the `spare` others that were written last.

        Returns the fingerprints of these others, the one written last first.
        """
        others = [path for path in self._folder.glob("*.db") if path.stem not in keep]
        others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in others[spare:]:
            vector_file.remove(path)
        return [path.stem for path in others[:spare]]

    def disk(self, size: int) -> int:
        """Return the bytes of disk that vectors of so many bytes take."""
        return int(size * _DISK_FACTOR)

    def _path(self, fingerprint: str) -> Path:
        return self._folder / f"{fingerprint}.db"
