"""The OpenAPI document on backups."""

from fastapi.responses import StreamingResponse

from service.api.error_forms import INSTAR
from service.api.openapi.operation import Operation, failing, header, success
from service.corpus.errors import backed_up_by_its_server
from service.errors import InvalidRequest

TAKE = Operation(
    "Save everything",
    {
        200: success(
            "A tar, for `instar restore`.",
            None,
            bytes,
            {"Content-Disposition": header("names the file", 'attachment; filename="instar-20261123T210000Z.tar"')},
            kind="application/x-tar",
        ),
        **failing(
            INSTAR,
            InvalidRequest("feedback: Input should be a valid boolean", "feedback"),
            backed_up_by_its_server("instar"),
        ),
    },
    options={"response_class": StreamingResponse},
)
