"""The process: the application under uvicorn, from the first log line to the exit code."""

import asyncio
import gc
import logging
import os
import signal
import ssl
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from service import sample
from service.app import build
from service.errors import InstarError
from service.lifecycle import Lifecycle
from service.machine.children import Children, InThisProcess
from service.machine.fork_server import ForkServer
from service.models.torch_model import hide_progress
from service.observability.log_tail import LogTail
from service.observability.observer import Observer
from service.process import address, logs
from service.process.connection import Connection
from service.settings import LEVELS, Settings, is_loopback
from service.settings.names import remarks
from service.wiring import build as wiring
from service.wiring.build import Parts

log = logging.getLogger(__name__)

# Seconds after which a thread must hand over the interpreter. Python's default is 5 ms.
_SWITCH_SECONDS = 0.0005
# Seconds for which a connection without a request stays open. Clients and balancers keep theirs for less (httpx 5 s,
# balancers of AWS 60 s): a request is lost that is sent on a connection while it is closed at the other end.
_IDLE_SECONDS = 75

_TRY = """
ready on {base}

  curl {base}/search -H 'Content-Type: application/json' -d '{{"query": "{question}", "k": 3}}'
  curl {base}/embed -H 'Content-Type: application/json' -d '{{"inputs": "{question}"}}'
  curl {base}/admin/reload -H 'Content-Type: application/json' -d '{{"model": "{model}"}}'
"""


class Server(uvicorn.Server):
    """uvicorn's server, which also tells long-lived answers that it is about to stop."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping
        self.failure: str | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._stopping.set()
        super().handle_exit(sig, frame)

    def fail(self, reason: str) -> None:
        """Stop because the service cannot answer."""
        self.failure = reason
        self.should_exit = True

    @property
    def base_url(self) -> str:
        """The URL that the server listens on."""
        host, port = next(socket.getsockname() for asgi in self.servers for socket in asgi.sockets)[:2]
        scheme = "https" if self.config.is_ssl else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def serve(settings: Settings, watch: Callable[[Observer], Observer] = lambda metrics: metrics) -> int:
    """Run until a signal; returns the exit code: 1 if the service cannot start.

    `watch` gets the metrics and returns the observer of the service, which may pass on to them.
    """
    readable = logs.set_up(_level(settings), settings.log.format)
    log_tail = LogTail()
    logging.getLogger().addHandler(log_tail)
    _prepare_interpreter()
    metrics = wiring.new_metrics()
    observer = watch(metrics)
    # Now, while there is no thread and no open file that a child could inherit.
    trials, derivations, projections = _children(observer)
    for remark in remarks(os.environ):
        log.warning(remark.text)
    problem = address.problem(settings.host, settings.port)
    if problem is not None:
        return _fail(problem)
    try:
        parts = wiring.build(settings, metrics, observer, trials, derivations)
    except InstarError as error:
        return _fail(error.message)
    if not is_loopback(settings.host) and parts.keyring.is_open("write"):
        log.warning(
            "INSTAR_OPEN_DATA: whoever reaches %s may read, write and delete documents without a key; unset it unless"
            " you want that",
            settings.host,
        )
    return _run(parts, log_tail, projections, readable=readable)


def _children(observer: Observer) -> tuple[Children, Children, Children]:
    """Children for trials of checkpoints, others for derivations, and others for maps: none waits for another's."""
    if sys.platform != "linux":
        return InThisProcess(), InThisProcess(), InThisProcess()
    trials = ForkServer(observer)
    derivations = ForkServer(observer, beside=[trials])
    return trials, derivations, ForkServer(observer, beside=[trials, derivations])


def _prepare_interpreter() -> None:
    # The imports left half a million objects, which stay for good. A full collection takes some milliseconds without
    # them. With them it takes a quarter of a second, in which nothing is answered.
    gc.collect()
    gc.freeze()
    # The command line has switched collections off for the imports.
    gc.enable()
    # A query takes the interpreter some ten times. Each time it may wait this long while a checkpoint is loaded.
    sys.setswitchinterval(_SWITCH_SECONDS)
    hide_progress()


def _run(parts: Parts, log_tail: LogTail, projections: Children, *, readable: bool) -> int:
    """Serve the parts until a signal; returns the exit code. With a `readable` log, print what to try first."""
    settings = parts.settings
    lifecycle = Lifecycle(parts)
    server: Server

    def ready() -> None:
        if not readable:
            log.info("ready on %s", server.base_url)
            return
        model = sample.SHORT if settings.sample else settings.model
        print(_TRY.format(base=server.base_url, question="How do I count my stock again?", model=model), flush=True)

    def failed(reason: str) -> None:
        server.fail(reason)

    config = _config(settings, build(parts, lifecycle, ready, failed, log_tail, projections))
    server = Server(config, lifecycle.stopping)
    # uvicorn raises the signal again after the last request, for the handler that was there before.
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)

    def reload_files(*_: object) -> None:
        parts.keyring.reload()
        logs.set_level(_level(settings))
        if config.ssl is not None:
            _renew(config.ssl, settings)

    signal.signal(signal.SIGHUP, reload_files)
    server.run()
    return 0 if server.failure is None else _fail(server.failure)


def _config(settings: Settings, app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        http=Connection,
        ws="none",
        ssl_certfile=settings.tls.certificate,
        ssl_keyfile=settings.tls.key,
        proxy_headers=bool(settings.proxy.trusted),
        forwarded_allow_ips=settings.proxy.trusted,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=settings.drain_seconds,
    )


def _fail(reason: str) -> int:
    log.error("the service cannot start: %s", reason)
    return 1


def _level(settings: Settings) -> str:
    """The level of the log, from the file of the level if there is one, else from the settings."""
    if settings.log.level_file is None:
        return settings.log.level
    try:
        level = settings.log.level_file.read_text(encoding="utf-8").strip().lower()
    except FileNotFoundError:
        return settings.log.level
    except (OSError, UnicodeDecodeError) as error:
        log.error(
            "%s cannot be read (%s): let the user of the service read it, then send SIGHUP; the level is %s",
            settings.log.level_file,
            error,
            settings.log.level,
        )
        return settings.log.level
    if level not in LEVELS:
        log.error(
            "%s says %s, and must be one of %s: write one of these there, then send SIGHUP; the level is %s",
            settings.log.level_file,
            level[:20],
            ", ".join(LEVELS),
            settings.log.level,
        )
        return settings.log.level
    return level


def _renew(context: ssl.SSLContext, settings: Settings) -> None:
    """Read the certificate again, for new connections; if it cannot be used, the former one stays."""
    if settings.tls.certificate is not None:
        try:
            context.load_cert_chain(settings.tls.certificate, settings.tls.key)
        except (OSError, ssl.SSLError) as error:
            log.error(
                "the certificate stays as it was: %s cannot be used (%s); mend it, then send SIGHUP again",
                settings.tls.certificate,
                error,
            )


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)
