"""The data folder, and the path of each thing in it. No other file says how these are called on the disk."""

from dataclasses import dataclass
from pathlib import Path

# SQLite keeps these beside a database while it is open, and after a crash: they belong to that database alone.
_SIDECARS = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The folder `INSTAR_DATA_DIR`, in which one service keeps what it stores."""

    path: Path

    @property
    def corpus(self) -> Path:
        """The database of documents, records and judgements."""
        return self.path / "corpus.db"

    @property
    def learning(self) -> Path:
        """The database of searches and feedback."""
        return self.path / "learning.db"

    @property
    def origin(self) -> Path:
        """The file with the identity of the store that graphs, words and maps are of, unless that is the folder's."""
        return self.path / "store"

    @property
    def pseudonyms_key(self) -> Path:
        """The file of the key by which users and sessions are hashed there."""
        return self.path / "learning.key"

    @property
    def vectors(self) -> Path:
        """The folder of stored vectors, a database for each document fingerprint."""
        return self.path / "vectors"

    @property
    def graphs(self) -> Path:
        """The folder of HNSW graphs."""
        return self.path / "graphs"

    @property
    def maps(self) -> Path:
        """The folder of maps of generations."""
        return self.path / "maps"

    @property
    def words(self) -> Path:
        """The folder of the index of words."""
        return self.path / "words"

    @property
    def checkpoints(self) -> Path:
        """The folder of the service's own copies of checkpoints, each named by its id."""
        return self.path / "checkpoints"

    @property
    def engines(self) -> Path:
        """The folder of converted models."""
        return self.path / "engines"

    @property
    def keys(self) -> Path:
        """The file of named keys, unless `INSTAR_KEYS_FILE` names another one."""
        return self.path / "keys.json"

    @property
    def console_key(self) -> Path:
        """The file of the secret that seals the console's cookies."""
        return self.path / "console.key"

    @property
    def unfinished(self) -> Path:
        """The file that is there as long as a move fills the folder."""
        return self.path / "unfinished"

    @property
    def lock(self) -> Path:
        """The file that is locked by the one process that works on the folder."""
        return self.path / "lock"

    def stores(self) -> tuple[Path, ...]:
        """Return all that may be there of the databases and vectors of a service."""
        return (*database_files(self.corpus), *database_files(self.learning), self.vectors)

    def embedding(self, number: int) -> "DataFolder":
        """The folder, with a lock of its own, of a process on this machine that embeds for a store elsewhere."""
        return DataFolder(self.path / f"embedding-{number}")


def database_files(database: Path) -> tuple[Path, ...]:
    """The file of a database, and those that SQLite may keep beside it."""
    return (database, *(database.with_name(database.name + ending) for ending in _SIDECARS))
