"""Wrong keys at the door: an address that has sent many waits before it may try another one.

Keys of `instar key` cannot be guessed. Those of the settings are as good as who chose them.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import ip_address, ip_network

# Wrong keys that an address may send, and the seconds in which they count.
_MOST, _SECONDS = 10, 60.0
# Addresses that are remembered. An IPv6 network of 64 bits counts as one: who has one address of it has all.
_ADDRESSES = 10_000
_IPV6_BITS = 64


class Attempts:
    """Counts wrong keys by address, in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Return the seconds until the address may try again; 0 if it may now."""
        failures = self._failures.get(_network(address))
        if failures is None or len(failures) < _MOST:
            return 0.0
        return max(0.0, failures[0] + _SECONDS - self._clock())

    def failed(self, address: str) -> None:
        """Count a wrong key."""
        network = _network(address)
        self._failures.setdefault(network, deque(maxlen=_MOST)).append(self._clock())
        self._failures.move_to_end(network)
        if len(self._failures) > _ADDRESSES:
            self._failures.popitem(last=False)


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ip_network((parsed, _IPV6_BITS), strict=False))
