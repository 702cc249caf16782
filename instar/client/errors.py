"""The errors of a client."""

from typing import Any


class InstarError(Exception):
    """A call failed. The message says why, and what to do."""


class NotReached(InstarError):
    """No service answered at the address, or the connection was lost."""


class Refused(InstarError):
    """The service refused the request.

    `status` is the HTTP status, and `body` the whole answer. `type` is the kind of error by the service's own names,
    `param` the field at fault, and `reason` the service's own sentence, if the answer is one of the service's.
    """

    def __init__(self, message: str, status: int, body: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = body
        error = body.get("error") if isinstance(body, dict) else None
        said: dict[str, Any] = error if isinstance(error, dict) else {}
        self.type: str | None = said.get("type")
        self.param: str | None = said.get("param")
        self.reason: str = said.get("message") or message
