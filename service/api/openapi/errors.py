"""Examples of errors that many routes answer. The functions that make the errors make the examples, too."""

from service.access.limits import limit_reached
from service.api.auth import key_missing, scope_missing
from service.api.bodies import body_too_long
from service.api.event_streams import too_many_streams
from service.api.failures import fault
from service.api.openapi.examples import MODEL
from service.corpus.errors import disk_full, no_collection, unusable
from service.generations.errors import no_such_model, starting
from service.models.errors import encoder_fails, not_finite, queue_full

_LIMIT = limit_reached("rag-app", 12)
KEYED = (key_missing("search"), scope_missing("rag-app", "search", {"embed"}), _LIMIT)
FAULT = fault()
STARTING = starting(f"loading {MODEL}")
WORKING = (
    FAULT,
    STARTING,
    encoder_fails(),
    disk_full("the corpus"),
    unusable("the corpus", "disk I/O error"),
)
BUSY = (queue_full(7), _LIMIT)
STREAMING = too_many_streams(256)
NOT_FINITE = not_finite(MODEL)
UNKNOWN_MODEL = no_such_model("another", ["active", MODEL])
LONG_BODY = body_too_long(33554432, "INSTAR_LIMITS__BODY")
UNKNOWN_COLLECTION = no_collection("nowhere", ["default"])
