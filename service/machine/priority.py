"""The lowest priority, for threads whose work nobody waits for."""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

# The lowest nice value, for kernels without scheduling policies, such as gVisor's.
_LOWEST = 19
# The kernel keeps no more characters of a thread's name (proc_pid_comm(5)).
_NAME_CHARACTERS = 15
_T = TypeVar("_T")


class Runs(Protocol):
    """Runs a function on some thread; returns or raises as it does."""

    def __call__(self, function: Callable[[], _T], /) -> _T: ...


def inline(function: Callable[[], _T], /) -> _T:
    """Run `function` on this thread."""
    return function()


def lower_priority() -> None:
    """Let the kernel prefer every other thread to this one; the threads that it starts inherit that.

    Any thread that wakes up takes the place of a SCHED_IDLE thread at once (sched(7)). A thread that is only nice keeps
    its place for part of its slice (EEVDF).
    """
    # Only on Linux do these calls apply to single threads (setpriority(2), "C library/kernel differences").
    if sys.platform == "linux":
        _lower(threading.get_native_id())


def _lower(thread: int) -> None:
    try:
        os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
    except OSError:
        os.setpriority(os.PRIO_PROCESS, thread, _LOWEST)


def at_lowest_priority(function: Callable[[], _T], /) -> _T:
    """Compute `function` on a new thread of the lowest priority; returns or raises as it does."""
    return idle_priority_session(lambda _: function())


def idle_priority_session(function: Callable[[Runs], _T], /) -> _T:
    """Like `at_lowest_priority`, but `function` receives a callable that runs a step at the caller's priority.

    The step runs on the caller's thread, because a priority that was lowered cannot be raised again. For that reason,
    too, the new thread ends with the function.
    """
    outcome: Future[_T] = Future()
    steps: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def on_caller(step: Callable[[], Any], /) -> Any:
        step_outcome: Future[Any] = Future()
        steps.put(partial(_settle, step_outcome, step))
        return step_outcome.result()

    def work() -> None:
        lower_priority()
        _settle(outcome, lambda: function(on_caller))
        steps.put(None)

    thread = threading.Thread(target=work, name="instar-lowest")
    thread.start()
    while (step := steps.get()) is not None:
        step()
    thread.join()
    return outcome.result()


def lowered_afterwards(function: Callable[[], _T], /) -> _T:
    """Compute `function` at this thread's priority, then lower the threads that it started and that still live.

    At the lowest priority, `function` might never end on a machine whose other processes are busy.
    """
    if sys.platform != "linux":
        return function()
    outcome: Future[_T] = Future()
    thread = threading.Thread(target=_settle, args=(outcome, partial(_then_lower, function)), name="instar-lowered")
    thread.start()
    thread.join()
    return outcome.result()


def _then_lower(function: Callable[[], _T]) -> _T:
    # A thread inherits the name of the thread that starts it (clone(2)), unless it takes another.
    starter = threading.get_native_id()
    name = f"lowered-{starter}"[:_NAME_CHARACTERS]
    threads = Path("/proc/self/task")
    try:
        (threads / str(starter) / "comm").write_text(name)
    except OSError:
        # Some kernels do not let a thread be named, such as gVisor's.
        return at_lowest_priority(function)
    outcome = function()
    for thread in threads.iterdir():
        # The thread may end at any moment.
        with suppress(OSError):
            if thread.name != str(starter) and (thread / "comm").read_text().strip() == name:
                _lower(int(thread.name))
    return outcome


def _settle(outcome: "Future[_T]", function: Callable[[], _T]) -> None:
    try:
        outcome.set_result(function())
    # Whatever is raised belongs to the thread that waits for the outcome.
    except BaseException as error:
        outcome.set_exception(error)


@dataclass(frozen=True, slots=True)
class Priorities:
    """Ways to start the threads of an engine: at the priority of the process, and at the lowest."""

    normal: Runs = inline
    lowest: Runs = at_lowest_priority


# For a process that does nothing else, so that no thread has to make way for others.
ONE_PRIORITY = Priorities(lowest=inline)
