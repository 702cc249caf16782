"""The OpenAPI document on checkpoints."""

from fastapi import Response

from service.api.bodies import body_too_long
from service.api.error_forms import INSTAR
from service.api.openapi.errors import LONG_BODY
from service.api.openapi.examples import FINGERPRINT, MODEL
from service.api.openapi.operation import STREAMED, Operation, failing, header, success
from service.api.responses import HARMLESS
from service.api.schemas.checkpoints import DeletedCheckpoint, Noted, Uploaded
from service.checkpoints.errors import empty_upload, has_no_report, is_bundled, is_folder, no_modules, not_listed
from service.errors import InvalidRequest

_LISTED = {
    "name": "all-MiniLM-L6-v2",
    "source": "bundled",
    "copied": True,
    "note": None,
    "changed": "2026-11-23T15:15:54Z",
    "model": MODEL,
    "kind": "dense",
    "fingerprint": FINGERPRINT,
    "size": 91567891,
    "lineage": {},
    "signature": "none",
    "report": False,
}
_UPLOADED: Uploaded = {
    "name": "support",
    "model": "support@1f2e3d4c5b6a",
    "kind": "dense",
    "fingerprint": FINGERPRINT,
    "size": 91567891,
}

LIST = Operation("List checkpoints", {200: success("The checkpoints.", {"models": [_LISTED]})})
READ = Operation(
    "Read one checkpoint",
    {
        200: success(
            "The checkpoint.",
            {**_LISTED, "manifest": False, "canaries": 0, "files": {"model.safetensors": "53aa5117…"}},
        ),
        **failing(INSTAR, not_listed("suport")),
    },
)
REPORT = Operation(
    "Read the report of a checkpoint",
    {
        200: success(
            "The page, which needs nothing else.",
            "<!doctype html>…",
            str,
            {name: header("keeps browsers from running or keeping it", value) for name, value in HARMLESS.items()},
            kind="text/html",
        ),
        **failing(INSTAR, has_no_report("all-MiniLM-L6-v2")),
    },
    options={"response_class": Response},
)
NOTE = Operation(
    "Note something of a checkpoint",
    {
        200: success("It is noted.", Noted(name="all-MiniLM-L6-v2", note="for the help centre")),
        **failing(
            INSTAR,
            not_listed("suport"),
            LONG_BODY,
            InvalidRequest("the body is missing: send a JSON object with `note`"),
        ),
    },
    {"a note": {"note": "for the help centre"}},
)
DELETE = Operation(
    "Delete a checkpoint",
    {
        200: success("It is gone.", DeletedCheckpoint(name="support")),
        **failing(INSTAR, not_listed("suport"), is_bundled("all-MiniLM-L6-v2")),
    },
)
UPLOAD = Operation(
    "Upload a checkpoint",
    {
        201: success("The checkpoint is there.", _UPLOADED),
        **failing(
            INSTAR,
            is_folder("support", "checkpoints"),
            body_too_long(8589934592, "INSTAR_LIMITS__CHECKPOINT"),
            empty_upload(),
            no_modules(),
        ),
    },
    body={"required": True, "content": {"application/zip": {"schema": STREAMED}}},
    options={"status_code": 201},
)
