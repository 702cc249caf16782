"""The parts of learning from use, on one store."""

from pathlib import Path

from service.corpus.base import CorpusStore
from service.learning.base import FeedbackStore
from service.learning.deriving import Deriving
from service.learning.feedback import Feedback
from service.learning.pseudonyms import Pseudonyms
from service.learning.search_log import SearchLog
from service.machine.writer import WritingThread
from service.settings import Settings


class Learning:
    """The log of searches, the feedback about them, and what is derived from it. Nothing is opened until `start`."""

    def __init__(
        self,
        store: FeedbackStore,
        key: Path,
        settings: Settings,
        corpus: CorpusStore,
        thread: WritingThread,
    ) -> None:
        """`key` is the file of the key by which users are hashed."""
        self.store = store
        self.pseudonyms = Pseudonyms(key, store.knows_users)
        self.log = SearchLog(store, self.pseudonyms, settings.searches)
        self.deriving = Deriving(store, corpus.judgements, thread, settings.limits.judgements)
        self.feedback = Feedback(store, self.log, corpus.documents, self.pseudonyms, self.deriving.note_change)

    def start(self) -> None:
        """Begin to keep searches."""
        self.log.start()

    def close(self) -> None:
        """Write what waits, and close the store."""
        self.log.close()
        self.store.close()
