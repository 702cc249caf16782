"""One call: what is sent, how the answer is read, and when a refusal is worth another try."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import httpx

from instar.client.errors import NotReached, Refused
from instar.client.json_faults import unsendable

Answer = TypeVar("Answer")
# The service is busy (429), or starts or stops (503): it has done nothing of the request.
_LATER = (429, 503)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
# The connection never stood, so that nothing can have been done.
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
_ELSEWHERE = "does another application or a proxy answer there? Look at the host and the port"


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """A request whose answer is JSON of the type `Answer`; `names` are fields by which that is known."""

    method: str
    path: str
    body: object = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def request(self, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """The request. A parameter that is None is left out. Raises Unsendable if it cannot be one."""
        parameters = {name: value for name, value in self.parameters.items() if value is not None}
        try:
            return client.build_request(self.method, self.path, params=parameters, json=self.body)
        except (TypeError, ValueError, RecursionError, httpx.InvalidURL) as error:
            raise unsendable(self.body, str(error), f"{self.method} {self.path[:80]} was not sent") from error

    def read(self, response: httpx.Response) -> Answer:
        """Return the answer. Raises Refused if it is an error, and NotReached if no Instar has written it."""
        require_success(response)
        try:
            answer = response.json()
        except (ValueError, RecursionError) as error:
            raise _foreign(response) from error
        if not isinstance(answer, dict) or any(name not in answer for name in self.names):
            raise _foreign(response)
        return cast(Answer, answer)


def _foreign(response: httpx.Response) -> NotReached:
    # A proxy that waited for Instar in vain would not answer in success.
    kind = response.headers.get("Content-Type", "of no type")
    return NotReached(
        f"{response.request.url} answered {response.status_code}, but not as Instar does ({kind}): {_ELSEWHERE}",
        sent=False,
    )


def require_success(response: httpx.Response) -> None:
    """Raise Refused with the service's own message, unless the response is one of success."""
    if response.is_success:
        return
    try:
        body = response.json()
        message = body["error"]["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        body, message = response.text, response.text[:200] or response.reason_phrase
        if response.has_redirect_location:
            message = f"it is at {response.headers['Location']} now: give that address"
    said = f"{response.request.url} answered {response.status_code}: {message}"
    raise Refused(said, response.status_code, body, _retry_after(response))


def pause(response: httpx.Response, attempt: int) -> float | None:
    """Seconds after which a refused request is tried again, as the service asks; None: trying again is of no use.

    `attempt` counts from 0. The pause varies, so that clients that were refused together do not come back together.
    """
    if response.status_code not in _LATER:
        return None
    wanted = _retry_after(response)
    if wanted is None:
        wanted = _FIRST_PAUSE * 2**attempt
    return min(wanted, _LONGEST_PAUSE) * random.uniform(1, 1.25)  # noqa: S311 (nothing secret hangs on it)


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds after which the service wants to be asked again; None: it does not say so, or in another form."""
    try:
        wanted = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return None
    # NaN is none of both.
    return wanted if wanted >= 0 else None


def not_reached(url: httpx.URL | str, error: httpx.RequestError) -> NotReached:
    """The error for a connection that could not be made or was lost, or for bytes that are no answer."""
    reason = str(error) or type(error).__name__
    sent = not isinstance(error, _UNSENT)
    if sent and isinstance(error, httpx.TimeoutException):
        advice = "ask for less at a time, or give it a longer timeout"
        return NotReached(f"{url} did not answer in time ({reason}): {advice}", sent=sent)
    if isinstance(error, httpx.TransportError):
        return NotReached(f"{url} did not answer ({reason}): is the service there, and the port right?", sent=sent)
    return NotReached(f"{url} sent an answer that cannot be read ({reason}): {_ELSEWHERE}", sent=sent)
