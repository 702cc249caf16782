"""The status of an answer, for middleware that reports it."""

from starlette.types import Message, Send


class StatusRecorder:
    """Passes an answer on and records its status, which is 500 until the answer begins, as after a crash."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)
