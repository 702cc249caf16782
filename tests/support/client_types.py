"""`make client-types`: the types of requests and answers in `instar/client/types.py`, made of the OpenAPI document."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support import checkpoints
from tests.support.server import Server

ROOT = Path(__file__).parents[2]
TYPES = ROOT / "instar" / "client" / "types.py"
# What the calls of the clients name. What these refer to comes with them.
NAMED = (
    "ActivateRequest",
    "DeleteRequest",
    "Deleted",
    "DocumentsRequest",
    "FeedbackAnswer",
    "FeedbackEvent",
    "GenerationsAnswer",
    "Info",
    "Job",
    "Judgement",
    "JudgementsAnswer",
    "JudgementsRequest",
    "MatchingPage",
    "MatchingRequest",
    "Page",
    "ReloadRequest",
    "SearchAnswer",
    "SearchRequest",
    "StoredDocument",
    "Taken",
    "WriteAnswer",
)
_OPTIONS = (
    "--input-file-type=openapi",
    "--output-model-type=typing.TypedDict",
    "--target-python-version=3.11",
    "--no-use-closed-typed-dict",
    "--disable-timestamp",
    "--disable-future-imports",
    "--no-formatters",
    "--use-schema-description",
    "--custom-file-header=",
)
_HEAD = '"""Requests and answers, made of the OpenAPI document by `make client-types`: edit nothing here."""\n'


def types_of(document: dict[str, Any]) -> str:
    """The text of the module for an OpenAPI document."""
    schemas = document["components"]["schemas"]
    wanted: dict[str, Any] = {}
    waiting = list(NAMED)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted[name] = schemas[name]
            waiting.extend(_references(schemas[name]))
    part = {
        "openapi": document["openapi"],
        "info": document["info"],
        "paths": {},
        "components": {"schemas": dict(sorted(wanted.items()))},
    }
    command = [sys.executable, "-m", "datamodel_code_generator", *_OPTIONS]
    made = subprocess.run(command, input=json.dumps(part), capture_output=True, text=True, check=True).stdout
    ruff = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TYPES), "-"]
    return subprocess.run(ruff, input=_HEAD + made, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Write the types that a service of this code describes."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        checkpoints.tiny(place / "checkpoints" / "one", seed=1)
        with Server(place, MODEL="one") as server:
            TYPES.write_text(types_of(server.get("/openapi.json")), encoding="utf-8")


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref":
                yield value.rpartition("/")[2]
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


if __name__ == "__main__":
    main()
