"""The process: the application under uvicorn, from the first log line to the exit code."""

import gc
import logging
import signal
import sys
from types import FrameType

import uvicorn
from transformers.utils import logging as transformers_logging

from service import logs, sample
from service.app import build
from service.core import Core
from service.errors import InstarError
from service.settings import Settings
from service.steps import Reached, unwatched

_TRY = """
ready on {base}
log = logging.getLogger(__name__)


  curl {base}/search -H 'Content-Type: application/json' -d '{{"query": "{question}", "k": 3}}'
  curl {base}/embed -H 'Content-Type: application/json' -d '{{"inputs": "{question}"}}'
  curl {base}/admin/reload -H 'Content-Type: application/json' -d '{{"model": "{model}"}}'
"""


class Server(uvicorn.Server):
    """uvicorn's server, which also tells long-lived answers that it is about to stop."""

    def __init__(self, config: uvicorn.Config, core: Core) -> None:
        super().__init__(config)
        self._core = core
        self.failure: str | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._core.stopping.set()
        super().handle_exit(sig, frame)

    def fail(self, reason: str) -> None:
        """Stop because the service cannot answer."""
        self.failure = reason
        self.should_exit = True

    @property
    def base_url(self) -> str:
        """Where it listens."""
        host, port = next(socket.getsockname() for asgi in self.servers for socket in asgi.sockets)[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(settings: Settings, reached: Reached = unwatched) -> int:
    """Run until a signal; returns the exit code: 1 if the service cannot start."""
    logs.set_up(settings.log_level, settings.log_format)
    # What the imports left, half a million objects, stays for good. Without them a full collection takes some
    # milliseconds; with them a quarter of a second, in which nothing is answered.
    gc.collect()
    gc.freeze()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        core = Core(settings, reached)
    except InstarError as error:
        print(error.message, file=sys.stderr)
        return 1
    server: Server

    def ready() -> None:
        model = sample.SHORT if settings.sample else settings.model
        print(_TRY.format(base=server.base_url, question="How do I count my stock again?", model=model), flush=True)

    def failed(reason: str) -> None:
        server.fail(reason)

    config = uvicorn.Config(
        build(core, ready, failed),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    server = Server(config, core)
    # When it has drained, uvicorn raises the signal again, for the handler that was there before.
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)

    def look_again(*_: object) -> None:
        core.keyring.look()
        logs.set_level(_level(settings))
        if config.ssl is not None:
            _renew(config.ssl, settings)

    signal.signal(signal.SIGHUP, look_again)
    server.run()
    if server.failure is not None:
        print(f"the service cannot start: {server.failure}", file=sys.stderr)
        return 1
    return 0


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)
