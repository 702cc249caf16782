"""Threads whose work nobody waits for have the lowest priority, wherever they were started."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pytest

from service.machine.priority import at_lowest_priority, lowered_afterwards

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has policies of threads")


def policy(thread: threading.Thread) -> int:
    assert thread.native_id is not None
    return os.sched_getscheduler(thread.native_id)


@contextmanager
def lasting() -> Iterator[Callable[[], threading.Thread]]:
    """A way to start threads that live until the end."""
    ended = threading.Event()

    def start() -> threading.Thread:
        thread = threading.Thread(target=ended.wait)
        thread.start()
        return thread

    try:
        yield start
    finally:
        ended.set()


def test_threads_started_at_the_lowest_priority_inherit_it() -> None:
    with lasting() as start:
        assert policy(at_lowest_priority(start)) == os.SCHED_IDLE


def test_a_function_computes_at_the_priority_of_its_caller_and_its_threads_are_lowered_afterwards() -> None:
    with lasting() as start:
        outside: Future[threading.Thread] = Future()
        starting, started = threading.Event(), threading.Event()

        def start_meanwhile() -> None:
            starting.wait()
            outside.set_result(start())
            started.set()

        other = threading.Thread(target=start_meanwhile)
        other.start()

        def function() -> tuple[int, threading.Thread]:
            starting.set()
            started.wait()
            return os.sched_getscheduler(0), start()

        during, thread = lowered_afterwards(function)
        assert during == os.SCHED_OTHER
        assert policy(thread) == os.SCHED_IDLE
        assert policy(outside.result()) == os.SCHED_OTHER
        assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_an_error_is_the_callers() -> None:
    def function() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        lowered_afterwards(function)
