"""The errors that a caller gets: one class for each kind, with its HTTP status.

Every message says what is wrong and what to do next. `service.api.error_forms` writes an error in the form of the
protocol that the caller speaks.
"""


class InstarError(Exception):
    """The service failed on a request.

    All other errors are subclasses. `param` names the field of the request that is at fault, if one is. `details` are
    further fields of the error object in the answer.
    """

    status = 500
    type = "internal"
    retry_after: int | None = None

    def __init__(self, message: str, param: str | None = None, **details: str | int) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.details = details


class InvalidRequest(InstarError):
    """The request does not follow the contract."""

    status = 422
    type = "invalid_request"


class EmptyInput(InvalidRequest):
    """The request has no text where one is needed."""


class Unauthorized(InstarError):
    """The request has no key, or one that is not known."""

    status = 401
    type = "unauthorized"


class NotFound(InstarError):
    """The request names something that does not exist."""

    status = 404
    type = "not_found"


class Conflict(InstarError):
    """The request conflicts with the present state of the service."""

    status = 409
    type = "conflict"


class TooLarge(InstarError):
    """The request is larger than a limit."""

    status = 413
    type = "too_large"


class UnsupportedEncoding(InvalidRequest):
    """The body is compressed in a way that the service cannot unpack."""

    status = 415


class CheckpointRefused(InstarError):
    """The checkpoint is not fit to answer. The running state has not changed."""

    status = 422
    type = "checkpoint_refused"


class EncodingFailed(InstarError):
    """The model gave no usable vector."""

    status = 424
    type = "encoding_failed"


class EncoderFailed(InstarError):
    """The encoder fails on every text."""

    status = 503
    type = "encoder_failed"
    retry_after = 10


class Overloaded(InstarError):
    """More work is queued than can be done in time. There should be room after `Retry-After` seconds."""

    status = 429
    type = "overloaded"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LimitReached(Overloaded):
    """The key has reached its limit. It may ask again after `Retry-After` seconds."""

    type = "limit_reached"


class Forbidden(InstarError):
    """The key may not do this."""

    status = 403
    type = "forbidden"


class NotReady(InstarError):
    """The service is starting or stopping."""

    status = 503
    type = "not_ready"
    retry_after = 1


class InsufficientResources(InstarError):
    """There is not enough memory or disk."""

    status = 503
    type = "insufficient_resources"
    retry_after = 60


class StorageFailed(InstarError):
    """A disk fails to read or write."""

    status = 503
    type = "storage_failed"
    retry_after = 60


class StorageAway(StorageFailed):
    """A server that stores something cannot be reached or is at something else. Later, everything goes on by itself."""

    retry_after = 2
