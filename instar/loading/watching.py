"""A watch: origins are loaded again whenever their files are others than before the last load.

The files are looked at again and again, because a system's notices miss what changes before they are asked for, a file
that is saved by another name, and folders of other machines.
"""

import sys
from collections.abc import Callable, Sequence
from http import HTTPStatus
from time import monotonic, sleep

from instar.client import InstarError, NotReached, Refused
from instar.loading.load import Stopped
from instar.loading.origin import Listing, Origin

# The files are looked at so often, but for at most a twentieth of the time.
_PAUSE_SECONDS, _MOST = 1.0, 0.05
# A service that is away is asked again after this.
_RETRY_SECONDS = 10.0
Loading = Callable[[Origin, Listing], object]
Asking = Callable[[Origin], bool]


class Watch:
    """Looks at origins and loads those that have changed."""

    def __init__(self, load: Loading, is_due: Asking = lambda _: False) -> None:
        """`is_due` says of an origin that it is to be loaded again, although its files are the same."""
        self._load = load
        self._is_due = is_due
        self._loaded: dict[str, Listing | None] = {}
        self._left: set[str] = set()
        self._told: dict[str, str] = {}
        self._looking = 0.0

    def run(self, origins: Sequence[Origin]) -> None:
        """Go on until interrupted. Raises what an origin's first load does, unless the service is away."""
        try:
            while True:
                self._looking = 0.0
                is_away = [self._is_away(origin) for origin in origins]
                sleep(_RETRY_SECONDS if any(is_away) else max(_PAUSE_SECONDS, self._looking / _MOST))
        except KeyboardInterrupt:
            return

    def _is_away(self, origin: Origin) -> bool:
        """Load the origin if it has changed. Returns whether the service was away, so that it has to be tried again."""
        former = self._loaded.get(origin.name)
        try:
            listing = self._listing(origin)
            if listing == former and origin.name not in self._left and not self._is_due(origin):
                return False
            self._left.discard(origin.name)
            # Whatever changes from now on is another change.
            self._loaded[origin.name] = listing
            self._load(origin, listing)
        except InstarError as error:
            is_away = _is_away(error)
            if former is None and not is_away:
                raise
            if is_away:
                self._loaded[origin.name] = former
                self._left.add(origin.name)
            self._tell(origin, f"{error}; it is tried again every {_RETRY_SECONDS:.0f} s" if is_away else str(error))
            return is_away
        self._told.pop(origin.name, None)
        return False

    def _listing(self, origin: Origin) -> Listing:
        began = monotonic()
        try:
            return origin.listing()
        finally:
            self._looking += monotonic() - began

    def _tell(self, origin: Origin, message: str) -> None:
        """Say it once, and not at each trial."""
        if self._told.get(origin.name) != message:
            print(message, file=sys.stderr)
        self._told[origin.name] = message


def _is_away(error: InstarError) -> bool:
    """Whether the service may take later what it does not take now."""
    cause = error.__cause__ if isinstance(error, Stopped) else error
    if not isinstance(cause, Refused):
        return isinstance(cause, NotReached)
    # A proxy whose service is away answers 404 in its own words.
    is_of_proxy = cause.status == HTTPStatus.NOT_FOUND and cause.type is None
    return (
        is_of_proxy or cause.status == HTTPStatus.TOO_MANY_REQUESTS or cause.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )
