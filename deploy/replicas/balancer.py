"""A balancer for a machine without HAProxy: `python -m deploy.replicas.balancer BIND REPLICA...`, each as HOST:PORT.

It gives each connection to a replica that is ready, for as long as the connection lasts, and repeats no request.
"""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress

_LOOK_EVERY, _PATIENCE = 0.5, 3.0
_READY = b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_PIECE = 65_536
_BODY = b'{"error":{"type":"not_ready","message":"no replica is ready: try again in a moment","param":null}}'
_NONE_READY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Balancer:
    """Passes connections on to the replicas, the one with the fewest first."""

    def __init__(self, replicas: Sequence[str]) -> None:
        self._open = dict.fromkeys(replicas, 0)
        self._ready = set(replicas)

    async def run(self, bind: str) -> None:
        """Listen until cancelled."""
        host, _, port = bind.rpartition(":")
        async with await asyncio.start_server(self._pass_on, host, int(port)):
            await asyncio.gather(*(self._watch(replica) for replica in self._open))

    async def _watch(self, replica: str) -> None:
        while True:
            if await _is_ready(replica):
                self._ready.add(replica)
            else:
                self._ready.discard(replica)
            await asyncio.sleep(_LOOK_EVERY)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for replica in sorted(self._ready, key=self._open.__getitem__):
            try:
                there, back = await _connect(replica)
            except OSError:
                continue
            self._open[replica] += 1
            questions = asyncio.create_task(_copy(reader, back))
            try:
                await _copy(there, writer)
            finally:
                questions.cancel()
                self._open[replica] -= 1
                back.close()
                writer.close()
            return
        writer.write(_NONE_READY)
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Write what comes, and its end."""
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()


async def _connect(replica: str) -> Stream:
    host, _, port = replica.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def _is_ready(replica: str) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            reader, writer = await _connect(replica)
            try:
                writer.write(_READY)
                return b" 200 " in await reader.readline()
            finally:
                writer.close()
    # TimeoutError is one of them.
    except OSError:
        return False


if __name__ == "__main__":
    asyncio.run(Balancer(sys.argv[2:]).run(sys.argv[1]))
