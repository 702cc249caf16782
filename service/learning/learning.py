"""The parts of learning from use, on one store."""

from service.corpus.base import CorpusStore
from service.generations.loaded import LoadedGenerations
from service.learning.base import FeedbackStore
from service.learning.derivation import Derivation
from service.learning.derivations import Derivations
from service.learning.deriving import Deriving
from service.learning.feedback import Feedback
from service.learning.forgetting import Forgetting
from service.learning.pseudonyms import Pseudonyms
from service.learning.queue.queue import JudgementQueue
from service.learning.queue.rankings import RankingSource
from service.learning.search_log import SearchLog
from service.learning.ubi_feedback import UbiFeedback
from service.learning.unsure import Unsure
from service.machine.children import Children, InThisProcess
from service.machine.writer import WritingThread
from service.models.encoding import Encoding
from service.search.retrieval import Retrieval
from service.settings import Settings


class Learning:
    """The log of searches, the feedback about them, and what is derived from it. Nothing is opened until `start`."""

    def __init__(
        self,
        store: FeedbackStore,
        derivations: Derivations,
        settings: Settings,
        corpus: CorpusStore,
        retrieval: Retrieval,
        thread: WritingThread,
        children: Children | None,
    ) -> None:
        """Judgements are derived in `children`; None: in this process."""
        self.store = store
        self._corpus = corpus
        self._retrieval = retrieval
        self.pseudonyms = pseudonyms = Pseudonyms(settings.secrets_folder.pseudonyms_key, store.knows_users)
        self.log = SearchLog(store, pseudonyms, settings.searches)
        self.deriving = Deriving(
            Derivation(store, settings.limits.judgements),
            derivations,
            children or InThisProcess(),
            corpus.judgements,
            thread,
        )
        self.feedback = Feedback(
            store,
            self.log,
            corpus.documents,
            pseudonyms,
            self.deriving.note_change,
            has_replicas=settings.store is not None,
        )
        self.unsure = Unsure(corpus.records)
        self.forgetting = Forgetting(self.feedback, self.deriving, corpus, self.unsure, thread)
        self.ubi = UbiFeedback(
            self.feedback, store, corpus.documents, pseudonyms, keeps=settings.searches.keep != "off"
        )

    def queue(self, generations: LoadedGenerations, encoding: Encoding) -> JudgementQueue:
        """The queue of what is worth judging, searched with these generations."""
        rankings = RankingSource(generations, self._retrieval, self._corpus.documents, encoding)
        return JudgementQueue(self.store, self.log, self._corpus, self.unsure, rankings)

    def start(self) -> None:
        """Begin to keep searches."""
        self.log.start()

    def close(self) -> None:
        """Write what waits, and close the store."""
        self.log.close()
        self.store.close()
