"""What may happen to a replica, each for as long as a block lasts."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from tests.replicas.faults.cells import FaultKind
from tests.replicas.faults.replica import Replica

# A slow process runs for one of so many such intervals, in seconds.
_INTERVAL, _ONE_OF = 0.03, 10
# Seconds by which each part of what is said over the network is late.
_DELAY = 0.3
_DAYS = 86_400


@contextmanager
def _stopped(replica: Replica) -> Iterator[None]:
    replica.server.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        replica.server.process.send_signal(signal.SIGCONT)


@contextmanager
def _slow(replica: Replica) -> Iterator[None]:
    ended = threading.Event()

    def slow_down() -> None:
        while not ended.is_set():
            with _stopped(replica):
                ended.wait(_INTERVAL * (_ONE_OF - 1))
            ended.wait(_INTERVAL)

    thread = threading.Thread(target=slow_down)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def _killed(replica: Replica) -> Iterator[None]:
    replica.server.kill()
    try:
        yield
    finally:
        replica.server.start()


@contextmanager
def _clock_is_off(replica: Replica) -> Iterator[None]:
    replica.control.set_clock(-30 * _DAYS)
    try:
        yield
        # The clock jumps, too.
        replica.control.set_clock(3 * _DAYS)
    finally:
        replica.control.set_clock(0)


FAULTS: Mapping[FaultKind, Callable[[Replica], AbstractContextManager[None]]] = {
    "stop": _stopped,
    "slow": _slow,
    "kill": _killed,
    "silent": lambda replica: replica.relay.silent(),
    "lose": lambda replica: replica.relay.losing(),
    "delay": lambda replica: replica.relay.delaying(_DELAY),
    "refuse": lambda replica: replica.relay.refusing(),
    "no-commit": lambda replica: replica.relay.silent_from_a_commit(delivered=False),
    "no-answer": lambda replica: replica.relay.silent_from_a_commit(delivered=True),
    "clock": _clock_is_off,
}
