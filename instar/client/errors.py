"""The errors of a client."""

from typing import Any


class InstarError(Exception):
    """A call failed. The message says why, and what to do."""


class NotReached(InstarError):
    """No service answered at the address, or the connection was lost."""


class Refused(InstarError):
    """The service refused the request.

    `status` is the HTTP status, `type` the kind of error by the service's own names, and `body` the whole answer.
    """

    def __init__(self, message: str, status: int, body: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = body
        error = body.get("error") if isinstance(body, dict) else None
        self.type: str | None = error.get("type") if isinstance(error, dict) else None
