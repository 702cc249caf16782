"""The corpus in a schema of PostgreSQL, which several processes read and write."""

from collections.abc import Callable
from pathlib import Path

from service.corpus.base import GenerationRecord
from service.corpus.errors import backed_up_by_its_server
from service.corpus.postgres.change_log import PostgresChangeLog
from service.corpus.postgres.documents import PostgresDocuments
from service.corpus.postgres.judgements import PostgresJudgements
from service.corpus.postgres.records import PostgresRecords
from service.postgres.database import Connection, Database
from service.postgres.erasing import erase_deleted


class PostgresStore:
    """The `CorpusStore` in a schema, and the log of its changes, which other processes follow.

    One process at a time writes. A write whose connection breaks during its commit raises StorageFailed, and may have
    been committed all the same: the log says so.
    """

    def __init__(
        self, database: Database, max_judgements: int, fence: Callable[[Connection], None] = lambda _: None
    ) -> None:
        """Take over an open database.

        `fence` is called in each transaction that changes the set of generations, and raises NotLeader.
        """
        self._database = database
        self.log = PostgresChangeLog(database)
        self.documents = PostgresDocuments(database, self.log)
        self.records = PostgresRecords(database, self.log, fence)
        self.judgements = PostgresJudgements(database, self.log, max_judgements)

    def size(self) -> int:
        return self._database.size()

    def backup(self, target: Path) -> list[GenerationRecord]:  # noqa: ARG002
        raise backed_up_by_its_server(self._database.schema)

    def erase_removed(self) -> None:
        erase_deleted(self._database, ("judgements", "jobs"))

    def close(self) -> None:
        self.log.close()
        self._database.close()
