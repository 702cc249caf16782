"""The errors of a client: whatever goes wrong in a call is one of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class InstarError(Exception):
    """A call failed. The message says why, and what to do."""


class WrongSetting(InstarError):
    """The address or the key cannot be one. Nothing was sent."""


class NotReached(InstarError):
    """No service answered at the address, or another application did, or the connection was lost.

    `sent` says whether the request may have come to the service all the same, so that it may have been done.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Refused(InstarError):
    """The service refused the request.

    `status` is the HTTP status, and `body` the whole answer. `type` is the kind of error by the service's own names,
    `param` the field at fault, and `reason` the service's own sentence, if the answer is one of the service's.
    `retry_after` are the seconds after which it wants to be asked again, if it says.
    """

    def __init__(self, message: str, status: int, body: Any, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = body
        self.retry_after = retry_after
        error = body.get("error") if isinstance(body, dict) else None
        said: dict[str, Any] = error if isinstance(error, dict) else {}
        # Another application may have anything there.
        texts = {name: value for name, value in said.items() if isinstance(value, str)}
        self.type: str | None = texts.get("type")
        self.param: str | None = texts.get("param")
        self.reason: str = texts.get("message") or message


class Unsendable(Refused):
    """The request is no JSON, a date or NaN in metadata for example, or has no address, and was not sent.

    It has the form of the refusal that the service would give, with the status 422.
    """


class Lost(InstarError):
    """The service was lost while a job was followed, or lost the job. Nobody knows how the job ends.

    `job` is the job as it was seen last.
    """

    def __init__(self, message: str, job: Any) -> None:
        super().__init__(message)
        self.job = job


@contextmanager
def absent_is_empty(param: str = "collection") -> Iterator[None]:
    """End the block where the service says that the collection is not there, or what else it calls `param`.

    A collection is there from its first document to its last, so one that is not there is an empty one. A proxy whose
    service is away answers 404, too, which says nothing of documents.
    """
    try:
        yield
    except Refused as refused:
        if (refused.type, refused.param) != ("not_found", param):
            raise
