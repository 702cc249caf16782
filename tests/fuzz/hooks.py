"""What schemathesis has to be told: how bodies are written that are not JSON."""

import json
from typing import Any

import schemathesis


def ndjson(context: Any, value: Any) -> bytes:
    """The example is written as it is; whatever else comes is a line."""
    return value.encode() if isinstance(value, str) else raw(context, value)


def raw(_: Any, value: Any) -> bytes:
    """Bytes as they are; nothing that can be made is a zip, and the answer has to say so."""
    found = getattr(value, "data", value)
    return found if isinstance(found, bytes) else json.dumps(found, default=str).encode()


# Its types say that it cannot be called.
_written_by: Any = schemathesis.serializer
_written_by("application/x-ndjson")(ndjson)
_written_by("application/zip")(raw)
