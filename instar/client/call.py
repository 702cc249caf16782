"""One call: what is sent, how the answer is read, and when a refusal is worth another try."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import httpx

from instar.client.errors import NotReached, Refused

Answer = TypeVar("Answer")
# The service is busy (429), or starts or stops (503): it has done nothing of the request.
_LATER = (429, 503)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """A request whose answer is JSON of the type `Answer`."""

    method: str
    path: str
    body: object = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """The arguments of httpx's `request`. A parameter that is None is left out."""
        parameters = {name: value for name, value in self.parameters.items() if value is not None}
        body = {} if self.body is None else {"json": self.body}
        return {"method": self.method, "url": self.path, "params": parameters, **body}

    def read(self, response: httpx.Response) -> Answer:
        """Return the answer. Raises Refused if it is an error."""
        require_success(response)
        return cast(Answer, response.json())


def require_success(response: httpx.Response) -> None:
    """Raise Refused with the service's own message, unless the response is one of success."""
    if response.is_success:
        return
    try:
        body = response.json()
        message = body["error"]["message"]
    except (ValueError, KeyError, TypeError):
        body, message = response.text, f"{response.text[:200] or response.reason_phrase}"
    raise Refused(f"{response.request.url} answered {response.status_code}: {message}", response.status_code, body)


def pause(response: httpx.Response, attempt: int) -> float | None:
    """Seconds after which a refused request is tried again, as the service asks; None: trying again is of no use.

    `attempt` counts from 0. The pause varies, so that clients that were refused together do not come back together.
    """
    if response.status_code not in _LATER:
        return None
    try:
        wanted = float(response.headers.get("Retry-After", ""))
    except ValueError:
        wanted = _FIRST_PAUSE * 2**attempt
    return min(wanted, _LONGEST_PAUSE) * random.uniform(1, 1.25)  # noqa: S311 (nothing secret hangs on it)


def not_reached(url: httpx.URL | str, error: httpx.TransportError) -> NotReached:
    """The error for a connection that could not be made, or was lost."""
    return NotReached(
        f"{url} did not answer ({error or type(error).__name__}): is the service there, and the port right?"
    )
