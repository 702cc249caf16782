"""A service in its own process, as users run it."""

import atexit
import functools
import itertools
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, Self

import httpx

from tests.support.nursery import Child, Command, Nursery

START_SECONDS = 120


class Process(Protocol):
    """A process of a service, whether it was forked or started by a command."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, seconds: float, /) -> int: ...
    def send_signal(self, number: int, /) -> None: ...


class Server:
    """A service on a free port. Its folders lie below `folder` and outlive it.

    A nursery forks it, which saves the imports. With `command` it is started as `program`, which is `python -m service`
    unless it is set; so is one whose `code` names a folder, with the service that lies there.
    """

    def __init__(self, folder: Path, *, command: bool = False, **settings: object) -> None:
        self.folder = folder
        self._command = command
        self.code: Path | None = None
        self.program = [sys.executable, "-m", "service"]
        self._logs = (folder / f"log-{number}" for number in itertools.count())
        self.checkpoints = folder / "checkpoints"
        self.data = folder / "data"
        self.settings = {
            "PORT": 0,
            "DATA_DIR": self.data,
            "CHECKPOINTS_DIR": self.checkpoints,
            # This engine's vectors equal sentence-transformers' to the last digits that a test compares.
            "ENGINE": "torch",
            # Most tests of searches are about vectors, and one of weights does not wait for those of a collection.
            "MODE": "dense",
            "HEADROOM__MEMORY": 0,
            "HEADROOM__DISK": 0,
            **settings,
        }
        self.process: Process
        self.client: httpx.Client

    def launch(self) -> None:
        """Start the process without waiting for it."""
        variables = {f"INSTAR_{name}": str(value) for name, value in self.settings.items()}
        self._log = next(path for path in self._logs if not path.exists())
        if not self._command and self.code is None:
            self.process = self._fork({"environment": variables, "log": str(self._log)})
            return
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("INSTAR_")}
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                self.program,
                env=inherited | variables,
                cwd=self.code,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _fork(self, command: Command) -> Child:
        return Child(_nursery(), command)

    @property
    def output(self) -> list[str]:
        """The lines that the process has written."""
        return self._log.read_text(encoding="utf-8").splitlines(keepends=True) if self._log.exists() else []

    def start(self) -> Self:
        """Start the process and wait until it is ready."""
        self.launch()
        # No service of a test has a certificate that the system knows, and to read these takes 20 milliseconds.
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.client = httpx.Client(base_url=self.wait_for(r'ready on ([^\s"]+)'), timeout=60, verify=nobody)
        return self

    def wait_for(self, pattern: str) -> str:
        """Wait until a line of the output matches, and return the first group, or else the whole match."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            for line in self.output:
                if match := re.search(pattern, line):
                    return match[1] if match.groups() else match[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} in the output:\n{''.join(self.output)}")

    def stop(self) -> int:
        """Send SIGTERM, wait for the end, and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self.client.close()
        return code

    def kill(self) -> None:
        """Send SIGKILL, and wait for the end."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        self.client.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def get(self, path: str, **options: Any) -> Any:
        """The JSON of a GET request, which must succeed."""
        return self._json(self.client.get(path, **options))

    def post(self, path: str, body: object = None, **options: Any) -> Any:
        """The JSON of a POST request, which must succeed."""
        return self._json(self.client.post(path, json=body, **options))

    def put_documents(self, texts: dict[str, str], **options: Any) -> None:
        """Write documents by id."""
        documents = [{"id": identity, "text": text} for identity, text in texts.items()]
        self.post("/documents", {"documents": documents, **options})

    def search(self, query: str, **options: Any) -> list[dict[str, Any]]:
        """The results of a search."""
        results: list[dict[str, Any]] = self.post("/search", {"query": query, **options})["results"]
        return results

    def reload(self, model: str) -> dict[str, Any]:
        """Reload the checkpoint `model`, and return the job when it has ended."""
        return self.wait_for_job(self.post("/admin/reload", {"model": model})["id"])

    def reload_reranker(self, model: str, **options: Any) -> dict[str, Any]:
        """Reload the reranker `model`, and return the job when it has ended."""
        return self.wait_for_job(self.post("/admin/reload", {"reranker": model, **options})["id"])

    def wait_for_job(self, identity: str) -> dict[str, Any]:
        """Wait for the end of the job, and return the job."""
        while True:
            job: dict[str, Any] = self.get(f"/admin/jobs/{identity}")
            if job["state"] not in ("queued", "running"):
                return job
            time.sleep(0.02)

    def wait_for_stage(self, identity: str, stage: str, seconds: float = START_SECONDS) -> dict[str, Any]:
        """Wait until the job is in `stage`, and return the job. It must not end before."""
        deadline = time.monotonic() + seconds
        while (job := self.get(f"/admin/jobs/{identity}"))["stage"] != stage:
            assert job["state"] in ("queued", "running"), job
            assert time.monotonic() < deadline, job
            time.sleep(0.02)
        reached: dict[str, Any] = job
        return reached

    def state(self) -> dict[str, Any]:
        """The state that a refused request must not change."""
        return {"info": self.get("/info"), "generations": self.get("/admin/generations")}

    def _json(self, response: httpx.Response) -> Any:
        assert response.is_success, f"{response.request.method} {response.url}: {response.status_code} {response.text}"
        return response.json()


@contextmanager
def sample_service(embedded_sample: Path, folder: Path) -> Iterator[Server]:
    """A service without keys on a copy of the embedded sample, in `folder`, whose hybrid searches have their weights.

    Scores of hybrid searches change when the collection gets them.
    """
    with Server(shutil.copytree(embedded_sample, folder / "sample"), SAMPLE="true", MODE="hybrid") as running:
        running.wait_for("hybrid searches with .* have their weights")
        yield running


@functools.cache
def _nursery() -> Nursery:
    """The nursery of all tests, from the first that needs it to the end of the run."""
    nursery = Nursery()
    atexit.register(nursery.close)
    return nursery
