"""Following a job over restarts of the service: a crash or a restart interrupts a reload, and does not end it."""

from collections.abc import Callable
from http import HTTPStatus
from time import monotonic

from instar.client.errors import InstarError, Lost, NotReached, Refused
from instar.client.settings import POLL_SECONDS
from instar.client.types import Job

# The service, or a proxy before it, says that it is away.
_AWAY = frozenset(
    {
        HTTPStatus.NOT_FOUND,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_LONGEST_PAUSE = 5.0
# A limit of a day may ask for hours, and somebody may raise it meanwhile.
_LONGEST_WAIT = 3600.0

Silence = Callable[[InstarError], object]


class Following:
    """How long a job is asked for although nobody answers, and the pause until it is asked for again."""

    def __init__(self, patience: float, silent: Silence | None) -> None:
        """Give up after `patience` seconds without an answer. `silent` gets the error with which they begin.

        It gets a refusal for too many requests (429) as well, if that asks for more time than those before.
        """
        self.pause = self._usual = POLL_SECONDS
        self._told: float | None = None
        self._patience = patience
        self._silent = silent
        self._since: float | None = None

    def answered(self, job: Job) -> Job:
        """Take an answer, and return it."""
        self.pause, self._since = self._usual, None
        return job

    def bear(self, error: InstarError, job: Job) -> None:
        """Take an error in place of an answer; `job` is the one before.

        Raises Lost if patience is at its end or the service has no such job, and the error if waiting is of no use.
        """
        refused = error if isinstance(error, Refused) else None
        # A proxy whose service is away answers 404 in its own words.
        if refused is not None and refused.status == HTTPStatus.NOT_FOUND and refused.type is not None:
            raise Lost(
                f"{error}; the service knew the job {job['id']} before: it has been restarted with another data folder,"
                " or another service answers now. GET /info says which model answers; reload again where it is not the"
                " new one",
                job,
            ) from error
        if refused is not None and refused.status == HTTPStatus.TOO_MANY_REQUESTS:
            self._slow_down(refused)
            return
        if not isinstance(error, NotReached) and (refused is None or refused.status not in _AWAY):
            raise error
        now = monotonic()
        if self._since is None:
            self._since = now
            if self._silent is not None:
                self._silent(error)
        if now - self._since >= self._patience:
            raise Lost(
                f"no answer for {self._patience:.0f} seconds ({error}): how the reload ends is not known, for a service"
                f" that comes back goes on with it. Start the service, and see GET /admin/jobs/{job['id']} before"
                " anything is rolled back",
                job,
            ) from error
        self.pause = min(2 * self.pause, _LONGEST_PAUSE)

    def _slow_down(self, refused: Refused) -> None:
        """Wait as long as the service asks for, and ask less often from then on: it answers, so this is no silence."""
        self._usual = min(2 * self._usual, _LONGEST_PAUSE)
        wanted = self._usual if refused.retry_after is None else refused.retry_after
        self.pause, self._since = min(max(wanted, self._usual), _LONGEST_WAIT), None
        if self._told is None or wanted > 2 * self._told:
            self._told = wanted
            if self._silent is not None:
                self._silent(refused)
