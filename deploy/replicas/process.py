"""A process that answers over HTTP, with its output in a file."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen


class Process:
    """Runs `command`. Its output is added to the file `log`, and `url` says where it answers."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path, url: str) -> None:
        self.name = name
        self.log = log
        self.url = url
        self._command = command
        self._environment = environment
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and do not wait for it."""
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def code(self) -> int | None:
        """The code that it has ended with; None while it runs."""
        return None if self._running is None else self._running.poll()

    def is_ready(self) -> bool:
        """Ask whether it answers requests."""
        try:
            # An address of this machine.
            with urlopen(f"{self.url}/ready", timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        # HTTPError is one of them.
        except (URLError, OSError):
            return False

    def stop(self) -> None:
        """Ask it to end, and return when it has."""
        if self._running is not None:
            self._running.terminate()
            self._running.wait()
