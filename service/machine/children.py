"""Work in a child process, for native code that may crash, hang or take all memory: its death costs nobody else.

`ForkServer` splits a server off this process early, when everything is imported and nothing has begun: no thread, no
data file, no GPU. The server forks a child for each piece of work, so that a child starts in milliseconds and shares
the imports' memory. Server and children die with the process that they serve.
"""

import ctypes
import faulthandler
import os
import pickle
import select
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, NoReturn, Protocol

import psutil

from service.machine.priority import lower_priority
from service.observability.observer import Observer, Unobserved

Say = Callable[[str], None]
# Picklable; is told what to say lines with, and of what its steps are.
Work = Callable[[Say, Observer], None]
Cause = Literal["crash", "time", "memory"]

_NUMBER = struct.Struct("!i")
# Between two looks at the memory of a child.
_LOOK_SECONDS = 0.05
# The last that a child wrote before it died.
_TAIL = 4000
# Exit code of a child whose last line of output is an exception.
_FAILED = 70
# prctl(2)
_PR_SET_PDEATHSIG = 1
# proc(5), "oom_score_adj": the kernel ends this process first.
_FIRST_TO_GO = "1000"


def never() -> bool:
    """What somebody answers who does not give up."""
    return False


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a child: bytes of memory that it may take, and seconds of wall clock.

    An `idle` child computes only when nobody else wants the processors. Once `given_up` answers true, the child is
    ended.
    """

    memory: int
    seconds: float
    idle: bool = False
    given_up: Callable[[], bool] = never


class ChildLost(Exception):
    """The child ended before its work did. The message says how; `output` is the last that it wrote."""

    def __init__(self, message: str, cause: Cause, output: str = "") -> None:
        super().__init__(message)
        self.cause = cause
        self.output = output


class GivenUp(Exception):
    """Nobody waits for the work any more, so its child was ended."""


class Children(Protocol):
    """Runs pieces of work, one at a time."""

    def run(self, work: Work, limits: Limits, heard: Say) -> None:
        """Return when `work` has ended; `heard` is called with each line that it says.

        Raises ChildLost if the child ended before its work did, and GivenUp.
        """


class InThisProcess:
    """No child: for systems without a safe fork, and for tests of the work itself."""

    def run(self, work: Work, limits: Limits, heard: Say) -> None:  # noqa: ARG002
        """Run `work` on this thread; what it raises is raised."""
        work(heard, Unobserved())


class ForkServer:
    """A process that forks a child for each piece of work. Linux only; safe to use from many threads."""

    def __init__(self, observer: Observer) -> None:
        """Split the server off. Call it before any thread is started. `observer` is told of the steps of the work."""
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            self._socket.close()
            _serve(theirs, observer, parent)
        theirs.close()

    def run(self, work: Work, limits: Limits, heard: Say) -> None:
        """See `Children`. A failure of Python's in the child counts as a crash, with its message as the reason."""
        with self._lock, tempfile.TemporaryFile() as order, tempfile.TemporaryFile() as output:
            pickle.dump(work, order)
            order.seek(0)
            said, theirs = os.pipe()
            with os.fdopen(said, "rb", buffering=0) as lines:
                try:
                    idle = bytes([limits.idle])
                    socket.send_fds(self._socket, [idle], [order.fileno(), theirs, output.fileno()])
                finally:
                    os.close(theirs)
                child = self._number()
                try:
                    _listen(lines, _process(child), limits, heard)
                finally:
                    status = self._number()
            if status:
                raise _lost(os.waitstatus_to_exitcode(status), _tail(output))

    def close(self) -> None:
        """End the server, which ends when nobody can ask it any more."""
        self._socket.close()
        os.waitpid(self._pid, 0)

    def _number(self) -> int:
        try:
            answer = self._socket.recv(_NUMBER.size, socket.MSG_WAITALL)
        except OSError:
            answer = b""
        if len(answer) < _NUMBER.size:
            raise ChildLost("the process that tries checkpoints has ended: restart the service", "crash")
        return int(_NUMBER.unpack(answer)[0])


def _listen(lines: IO[bytes], child: psutil.Process | None, limits: Limits, heard: Say) -> None:
    """Hear the child out; kill it, and raise, once it is past a limit."""
    began = time.monotonic()
    first = _memory(child)
    rest = b""
    try:
        while True:
            if select.select([lines], [], [], _LOOK_SECONDS)[0]:
                read = lines.read(1 << 16)
                if not read:
                    return
                *whole, rest = (rest + read).split(b"\n")
                for line in whole:
                    heard(line.decode())
            if limits.given_up():
                raise GivenUp
            if time.monotonic() - began > limits.seconds:
                raise ChildLost(f"it took more than {limits.seconds:.0f} seconds", "time")
            if _memory(child) - first > limits.memory:
                raise ChildLost(f"it took more than {limits.memory >> 20:,} MiB of memory", "memory")
    except BaseException:
        if child is not None:
            child.kill()
        raise


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _memory(child: psutil.Process | None) -> int:
    try:
        return int(child.memory_info().rss) if child is not None else 0
    except psutil.NoSuchProcess:
        return 0


def _lost(code: int, output: str) -> ChildLost:
    """The loss of a child with that exit code, or less the signal that it died of."""
    if code == -signal.SIGKILL:
        return ChildLost("it was killed, as the kernel does when memory runs out", "memory", output)
    if code < 0:
        return ChildLost(f"it died of {signal.Signals(-code).name}", "crash", output)
    if code == _FAILED:
        return ChildLost(f"it failed ({output.strip().splitlines()[-1][:200]})", "crash", output)
    return ChildLost(f"it ended with exit code {code}", "crash", output)


def _tail(output: IO[bytes]) -> str:
    output.seek(max(0, os.fstat(output.fileno()).st_size - _TAIL))
    return output.read().decode(errors="replace")


def _serve(orders: socket.socket, observer: Observer, parent: int) -> NoReturn:
    """Fork a child for each order until nobody can order any more."""
    _die_with(parent)
    # Ctrl-C reaches all processes of a terminal: whoever is served ends in order, and then this one does.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        idle, descriptors, _, _ = socket.recv_fds(orders, 1, 3)
        if not idle:
            os._exit(0)
        server = os.getpid()
        child = os.fork()
        if child == 0:
            _die_with(server)
            orders.close()
            _live(*descriptors, idle=bool(idle[0]), observer=observer)
        for descriptor in descriptors:
            os.close(descriptor)
        try:
            orders.sendall(_NUMBER.pack(child))
            _, status = os.waitpid(child, 0)
            orders.sendall(_NUMBER.pack(status))
        except OSError:
            os._exit(0)


def _live(order: int, said: int, output: int, *, idle: bool, observer: Observer) -> NoReturn:
    """Do the work, and end with 0 if it has ended well."""
    code = _FAILED
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        faulthandler.enable(2)
        _volunteer()
        if idle:
            lower_priority()
        with os.fdopen(order, "rb") as file:
            # It comes from this program, through a file that has no name.
            work: Work = pickle.load(file)  # noqa: S301
        work(lambda line: _write(said, line), observer)
        code = 0
    # The end of a process: whoever ordered the work is told by what is written.
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {' '.join(str(error).split())}\n")
    finally:
        sys.stderr.flush()
        os._exit(code)


def _write(said: int, line: str) -> None:
    data = line.encode() + b"\n"
    while data:
        data = data[os.write(said, data) :]


def _volunteer() -> None:
    """Have the kernel end this process before all others when memory runs out."""
    try:
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    except OSError:
        # Some containers forbid it; the limit on memory holds all the same.
        return


def _die_with(parent: int) -> None:
    """Be killed when the process that forked this one ends."""
    library: Any = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
