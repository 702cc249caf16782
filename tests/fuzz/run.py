"""One run against a service."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support import checkpoints
from tests.support.server import Server

_HERE = Path(__file__).parent
# More than the rerankers to which a service can return, so that no rollback leads to none.
_RERANKERS = ("lark", "wren", "lark")


def furnish(server: Server, key: str | None) -> None:
    """Give `server` a reranker, so that its routes answer, and a document of many windows."""
    if key is not None:
        server.client.headers["Authorization"] = f"Bearer {key}"
    for seed, name in enumerate(sorted(set(_RERANKERS))):
        checkpoints.tiny_reranker(server.checkpoints / name, seed)
    for name in _RERANKERS:
        job = server.reload_reranker(name)
        assert job["state"] == "done", job
    sentences = [f"Parcel {n} of the long list weighs {n * 7} grams." for n in range(100)]
    server.put_documents({"long": " ".join(sentences)})


def fuzz(server: Server, key: str | None, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run all checks against `server`, with the key that it wants; what schemathesis has to say is the output."""
    document = server.get("/openapi.json")
    if key is None:
        # Where there are no keys, none is asked for, which the document says in words alone.
        for operation in (operation for path in document["paths"].values() for operation in path.values()):
            operation.pop("security", None)
    (server.folder / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    command = [
        *(str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(_HERE / "schemathesis.toml")),
        *("--no-color", "run", "openapi.json", "--url", str(server.client.base_url), "--continue-on-failure"),
        *(() if key is None else ("-H", f"Authorization: Bearer {key}")),
    ]
    return subprocess.run(
        [*command, *flags],
        cwd=server.folder,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "tests.fuzz.hooks", "PYTHONPATH": str(_HERE.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
