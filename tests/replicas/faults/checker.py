"""The checker of the torture machine, for a history of several replicas behind one address."""

from collections.abc import Sequence

from tests.support.oracle import Oracle
from tests.torture.checker import EXPECTED, NOTES, Checker
from tests.torture.history import Event, History

# Seconds in which every replica shows what another one has written or activated, as docs/scaling.md promises.
LAG = 1.0
# And in which a replica is itself again after a fault.
MENDED_SECONDS = 15.0
# A process that is killed resets the connections on which it has not read yet, and HAProxy asks nobody else then. On a
# busy machine it takes its time to die.
_BROKEN, _AT_ONCE = (0, 502), 1.0
# What some replica must answer, whatever happens to one of them.
_READINGS = ("search", "embed")


def check(history: History, oracle: Oracle) -> list[str]:
    """Every violation, in words."""
    return ReplicasChecker(history.events, oracle).run()


class ReplicasChecker(Checker):
    """Looks through one history, in which one replica at a time meets a fault."""

    def __init__(self, events: Sequence[Event], oracle: Oracle) -> None:
        super().__init__(events, oracle, LAG)

    def _check_answers(self) -> None:
        """Searches are answered throughout; writes and orders fail while a fault lasts, and say why."""
        faults = [event for event in self._events if event.kind == "fault"]
        for event in self._events:
            if event.actor == "nemesis" or event.kind in NOTES or event.outcome == "acknowledged":
                continue
            if event.kind in _READINGS:
                if event.status in _BROKEN and any(_breaks(fault, event) for fault in faults):
                    continue
                self._violation(event, f"no replica answered: {event.status} {event.answered}")
            elif event.status == 0:
                if any(_breaks(fault, event) for fault in faults):
                    continue
                self._violation(event, f"the balancer broke the connection: {event.answered}")
            elif event.status >= 500:
                if not any(fault.start <= event.end and event.start <= fault.end + MENDED_SECONDS for fault in faults):
                    self._violation(event, f"status {event.status} without a fault: {event.answered}")
            elif event.status >= 400:
                self._check_form(event)
                if event.status not in EXPECTED.get(event.kind, ()):
                    self._violation(event, f"status {event.status} is not to be expected here: {event.answered}")

    def _check_processes(self) -> None:
        super()._check_processes()
        for event in self._events:
            if event.kind == "fault" and event.answered["mended"] > MENDED_SECONDS:
                self._violation(event, f"{event.replica} was ready {event.answered['mended']:.1f} s after its fault")


def _breaks(fault: Event, event: Event) -> bool:
    """Whether a replica was killed while a request was under way."""
    return fault.answered["kind"] == "kill" and event.start <= fault.start + _AT_ONCE and fault.start <= event.end
