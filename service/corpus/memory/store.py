"""The corpus in memory."""

import json
from pathlib import Path

from service.corpus.base import GenerationRecord
from service.corpus.memory.documents import MemoryDocuments
from service.corpus.memory.judgements import MemoryJudgements
from service.corpus.memory.records import MemoryRecords


class MemoryStore:
    """The `CorpusStore` in memory. A backup is JSON with its documents, for people to look at."""

    def __init__(self, max_judgements: int) -> None:
        self.documents = MemoryDocuments()
        self.records = MemoryRecords()
        self.judgements = MemoryJudgements(self.documents, max_judgements)

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def erase_removed(self) -> None:
        """Do nothing: there are no files."""

    def size(self) -> int:
        return len(self._written())

    def backup(self, target: Path) -> list[GenerationRecord]:
        target.write_bytes(self._written())
        return self.records.generations()

    def _written(self) -> bytes:
        rows = [(row.collection, row.version.seq, row.version.document) for row in self.documents.state.live()]
        return json.dumps(
            [[name, seq, document.id, document.text, document.metadata] for name, seq, document in rows]
        ).encode()
