"""What can go wrong, one class per kind, each with the HTTP status that says it.

Every message tells the reader what to do next. The forms in which errors are answered (ours,
OpenAI's, text-embeddings-inference's) are those of `service.api.forms`.
"""


class InstarError(Exception):
    """The service failed on a request.

    Base of all errors that are answered to a caller. `param` names the field of the request that is at fault, where
    one is. `details` are further fields for the error object of the answer.
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
    """The request is not in the contract."""

    status = 422
    type = "invalid_request"


class EmptyInput(InvalidRequest):
    """There is no text where one is needed."""


class Unauthorized(InstarError):
    """No key, or not the right one."""

    status = 401
    type = "unauthorized"


class NotFound(InstarError):
    """What the request names is not there."""

    status = 404
    type = "not_found"


class Conflict(InstarError):
    """The request does not fit what is going on."""

    status = 409
    type = "conflict"


class TooLarge(InstarError):
    """The request is larger than a limit."""

    status = 413
    type = "too_large"


class UnsupportedEncoding(InvalidRequest):
    """The body is packed in a way that is not read here."""

    status = 415


class CheckpointRefused(InstarError):
    """A checkpoint is not fit to answer; the running state is as it was."""

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
    """More is queued than can be served in a bearable time; `retry_after` seconds later there should be room."""

    status = 429
    type = "overloaded"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LimitReached(Overloaded):
    """A key has used up what it may ask; `retry_after` seconds later it may ask again."""

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
    """Memory or disk will not do."""

    status = 503
    type = "insufficient_resources"
    retry_after = 60


class StorageFailed(InstarError):
    """A disk does not do what it should."""

    status = 503
    type = "storage_failed"
    retry_after = 60
