"""A fork server: children for native code that start in milliseconds.

`ForkServer` splits a server off this process early, when everything is imported and nothing has begun: no thread, no
data file, no GPU. The server forks a child for each piece of work, which shares the memory of the imports. Server and
children die with the process that they serve.
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
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

import psutil

from service.machine.children import ChildLost, GivenUp, Limits, Say, Work
from service.machine.priority import lower_priority
from service.observability.observer import Observer

_NUMBER = struct.Struct("!i")
# Seconds between two looks at the memory of a child.
_LOOK_SECONDS = 0.05
# Bytes at the end of a child's output that are kept when it is lost.
_TAIL = 4000
# Exit code of a child whose last line of output is an exception.
_FAILED = 70
# prctl(2)
_PR_SET_PDEATHSIG = 1
# proc(5), "oom_score_adj": the kernel ends this process first.
_FIRST_TO_GO = "1000"


class ForkServer:
    """A process that forks a child for each piece of work. Linux only; safe to use from many threads."""

    def __init__(self, observer: Observer, beside: Sequence["ForkServer"] = ()) -> None:
        """Split the server off. Call it before any thread is started. `observer` is told of the steps of the work.

        `beside` are the servers that this process has already.
        """
        self._lock = threading.Lock()
        self._socket, server_socket = socket.socketpair()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            # A server ends when nobody has the other end of its socket any more.
            for server in (self, *beside):
                server._socket.close()
            _serve(server_socket, observer, parent)
        server_socket.close()

    def run(self, work: Work, limits: Limits, on_line: Say) -> None:
        """See `Children`. An exception in the child counts as a crash, with its message as the reason."""
        with self._lock, tempfile.TemporaryFile() as order, tempfile.TemporaryFile() as output:
            pickle.dump(work, order)
            order.seek(0)
            read_end, write_end = os.pipe()
            with os.fdopen(read_end, "rb", buffering=0) as pipe:
                try:
                    idle = bytes([limits.idle])
                    socket.send_fds(self._socket, [idle], [order.fileno(), write_end, output.fileno()])
                except OSError as error:
                    raise _server_lost() from error
                finally:
                    os.close(write_end)
                child = self._number()
                try:
                    _listen(pipe, _process(child), limits, on_line)
                finally:
                    status = self._number()
            if status:
                raise _lost(os.waitstatus_to_exitcode(status), _tail(output))

    def close(self) -> None:
        """Close the socket, which ends the server, and wait until it has ended."""
        self._socket.close()
        os.waitpid(self._pid, 0)

    def _number(self) -> int:
        try:
            answer = self._socket.recv(_NUMBER.size, socket.MSG_WAITALL)
        except OSError:
            answer = b""
        if len(answer) < _NUMBER.size:
            raise _server_lost()
        return int(_NUMBER.unpack(answer)[0])


def _server_lost() -> ChildLost:
    return ChildLost("the process that starts such work has ended: restart the service", "crash")


def _listen(pipe: IO[bytes], child: psutil.Process | None, limits: Limits, on_line: Say) -> None:
    """Pass on the child's lines until it closes the pipe; once it is past a limit, kill it and raise."""
    deadline = time.monotonic() + limits.seconds
    memory_at_start = _memory(child)
    unfinished = b""
    try:
        while True:
            if select.select([pipe], [], [], _LOOK_SECONDS)[0]:
                data = pipe.read(1 << 16)
                if not data:
                    return
                *lines, unfinished = (unfinished + data).split(b"\n")
                for line in lines:
                    on_line(line.decode())
            if limits.given_up():
                raise GivenUp
            if time.monotonic() > deadline:
                raise ChildLost(f"it took more than {limits.seconds:.0f} seconds", "time")
            if _memory(child) - memory_at_start > limits.memory:
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
    """The error for a child that ended with `code`: its exit code, or minus the signal that killed it."""
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
    """Fork a child for each order until the other end of the socket is closed."""
    _die_with(parent)
    # Ctrl-C reaches all processes of a terminal. The process that is served ends in order, and this one ends with it.
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
            _run_work(*descriptors, idle=bool(idle[0]), observer=observer)
        for descriptor in descriptors:
            os.close(descriptor)
        try:
            orders.sendall(_NUMBER.pack(child))
            _, status = os.waitpid(child, 0)
            orders.sendall(_NUMBER.pack(status))
        except OSError:
            os._exit(0)


def _run_work(order: int, lines: int, output: int, *, idle: bool, observer: Observer) -> NoReturn:
    """Do the work that is pickled in `order`, and end this process: with 0 if the work ended well.

    The arguments are descriptors: `lines` takes what the work says, `output` what it writes to stdout and stderr.
    """
    code = _FAILED
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        faulthandler.enable(2)
        _volunteer()
        if idle:
            lower_priority()
        with os.fdopen(order, "rb") as file:
            # The pickle comes from this program, through a file that has no name.
            work: Work = pickle.load(file)  # noqa: S301
        work(lambda line: _write(lines, line), observer)
        code = 0
    # The process ends here whatever happens: the last line of its output says why.
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {' '.join(str(error).split())}\n")
    finally:
        sys.stderr.flush()
        os._exit(code)


def _write(descriptor: int, line: str) -> None:
    data = line.encode() + b"\n"
    while data:
        data = data[os.write(descriptor, data) :]


def _volunteer() -> None:
    """Have the kernel end this process before all others when memory runs out."""
    try:
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    except OSError:
        # Some containers forbid it. The limit on memory still holds.
        return


def _die_with(parent: int) -> None:
    """Be killed when the process that forked this one ends."""
    library: Any = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
