"""The parts of learning from use, on one store."""

from service.corpus.base import Documents
from service.learning.base import FeedbackStore
from service.learning.feedback import Feedback
from service.learning.pseudonyms import Pseudonyms
from service.learning.search_log import SearchLog
from service.settings.groups import Searches


class Learning:
    """The log of searches and the feedback about them. Nothing is opened until `start`."""

    def __init__(self, store: FeedbackStore, pseudonyms: Pseudonyms, settings: Searches, documents: Documents) -> None:
        self.store = store
        self.pseudonyms = pseudonyms
        self.log = SearchLog(store, pseudonyms, settings)
        self.feedback = Feedback(store, self.log, documents, pseudonyms)

    def start(self) -> None:
        """Begin to keep searches."""
        self.log.start()

    def close(self) -> None:
        """Write what waits, and close the store."""
        self.log.close()
        self.store.close()
