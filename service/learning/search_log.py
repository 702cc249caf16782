"""The log of searches: written in batches by a thread of its own, for which no search ever waits.

If it cannot be written, it stops until the next start, and searching goes on. It waits for a server that is away.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from service.errors import InstarError, StorageAway
from service.learning.base import FeedbackStore, LoggedSearch
from service.learning.pseudonyms import Pseudonyms
from service.settings.groups import Searches

log = logging.getLogger(__name__)

# The time in which searches gather for one transaction: a crash loses those of that time.
_GATHER_SECONDS = 0.5
# Searches that wait at most. A disk that is slower than that many searches loses some.
_MOST_WAITING = 10_000
_DROP_EVERY_SECONDS = 600.0
_FLUSH_SECONDS = 30.0
# Between attempts to reach a server that is away.
_AGAIN_SECONDS = 1.0
# For so long, searches that got no feedback are kept for it.
FEEDBACK_HOURS = 24


class SearchLog:
    """Keeps searches as the settings say. `failure` says why it has stopped, if it has. Safe from any thread.

    `written` counts the searches that were written, and `left_out` those that were lost because too many waited or
    because the log had stopped.
    """

    def __init__(
        self,
        store: FeedbackStore,
        pseudonyms: Pseudonyms,
        settings: Searches,
    ) -> None:
        self._store = store
        self._pseudonyms = pseudonyms
        self._keep = settings.keep
        self._for = timedelta(days=settings.days) if settings.keep == "all" else timedelta(hours=FEEDBACK_HOURS)
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._waiting: list[LoggedSearch] = []
        self._hurried = self._closing = False
        # Searches that were taken, and those of them that nothing more happens to.
        self._taken = self._settled = 0
        self.failure: str | None = None
        self.written = self.left_out = 0

    @property
    def keeps(self) -> bool:
        """Whether searches are kept now."""
        return self._keep != "off" and self._thread is not None and self.failure is None and not self._closing

    def start(self) -> None:
        """Begin to keep searches, and to drop old ones."""
        try:
            self._pseudonyms.load()
        except InstarError as error:
            self._stop(error.message)
            return
        self._thread = threading.Thread(target=self._run, name="instar-searches", daemon=True)
        self._thread.start()

    def takes(self, count: int) -> bool:
        """Return whether so many more searches can be kept now. If not, they count as left out."""
        takes = self.keeps and len(self._waiting) + count <= _MOST_WAITING
        if not takes and self._keep != "off":
            with self._changed:
                self.left_out += count
        return takes

    def add(self, searches: Sequence[LoggedSearch]) -> bool:
        """Take the searches, if they are kept now and not too many wait. Returns at once, and says whether."""
        with self._changed:
            if not self.takes(len(searches)):
                return False
            if not self._waiting:
                self._changed.notify_all()
            self._waiting += searches
            self._taken += len(searches)
        return True

    def flush(self) -> None:
        """Wait until all that was added is written, or the log has stopped."""
        with self._changed:
            upto = self._taken
            if self._settled < upto:
                self._hurried = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._settled >= upto, _FLUSH_SECONDS)

    def close(self) -> None:
        """Write what waits, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._write_until_closed()
        except InstarError as error:
            self._stop(error.message)
        # Whatever happens here, a search must not notice.
        except Exception as error:
            log.exception("the search log has failed")
            self._stop(f"{type(error).__name__}: {error}")

    def _write_until_closed(self) -> None:
        next_drop = time.monotonic()
        while True:
            if time.monotonic() >= next_drop:
                self._insist(lambda: self._store.drop(self._store.now() - self._for))
                next_drop = time.monotonic() + _DROP_EVERY_SECONDS
            batch = self._gathered(next_drop)
            if batch:
                self._write(batch)
            elif self._closing:
                return

    def _gathered(self, until: float) -> Sequence[LoggedSearch]:
        """Return the searches that have gathered once there are some; none if there are none by the time `until`."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing, max(0.0, until - time.monotonic()))
            if self._waiting:
                self._changed.wait_for(lambda: self._hurried or self._closing, _GATHER_SECONDS)
            self._hurried = False
            batch, self._waiting = self._waiting, []
            return batch

    def _write(self, batch: Sequence[LoggedSearch]) -> None:
        # Those that are there already are not kept again.
        self._insist(partial(self._store.log, batch))
        with self._changed:
            self._settled += len(batch)
            self.written += len(batch)
            self._changed.notify_all()

    def _insist(self, work: Callable[[], object]) -> None:
        """Do the work, again and again while the server is away, unless the log is closed."""
        while True:
            try:
                work()
                return
            except StorageAway as error:
                if self._closing:
                    raise
                log.warning("searches wait to be kept: %s", error.message)
            with self._changed:
                self._changed.wait_for(lambda: self._closing, _AGAIN_SECONDS)

    def _stop(self, reason: str) -> None:
        failure = f"searches are not kept any more ({reason}): mend that, then restart the service"
        # First of all: whoever waits for the log goes on below, and may look for the reason.
        log.error(failure)
        with self._changed:
            self.failure = failure
            self.left_out += self._taken - self._settled
            self._waiting = []
            self._settled = self._taken
            self._changed.notify_all()
