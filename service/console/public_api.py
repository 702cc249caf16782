"""The public API as the console calls it: within the process, with the key of the person who is signed in.

A page has no other way to the service. So it can do what curl can do, and the API alone decides what a key may do.
"""

from collections.abc import Mapping
from typing import Any

import httpx
from starlette.types import ASGIApp

# This machine by name, which the API accepts as long as there are no keys.
_BASE = "http://127.0.0.1"


class ApiError(Exception):
    """The API has refused a call: its status, the type and the message of its error, and the field it names, if any."""

    def __init__(self, status: int, kind: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.field = field


class Caller:
    """Calls the API with one key, or without one."""

    def __init__(self, client: httpx.AsyncClient, key: str | None) -> None:
        self._client = client
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON of `GET path`. Raises ApiError."""
        return await self.call("GET", path, params=params)

    async def post(self, path: str, body: Any = None) -> Any:
        """Return the JSON of `POST path`. Raises ApiError."""
        return await self.call("POST", path, body=body)

    async def call(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """Return the JSON of any call, None of an answer without one. Raises ApiError."""
        return _json(await self.raw(method, path, params=params, json=body))

    async def raw(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return the answer of any call as it is. Raises ApiError unless it is a success."""
        params = {name: value for name, value in (options.pop("params", None) or {}).items() if value is not None}
        headers = {**self._headers, **options.pop("headers", {})}
        answer = await self._client.request(method, path, params=params, headers=headers, **options)
        if answer.is_success:
            return answer
        raise _error(answer)


class PublicApi:
    """The API of an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def called_by(self, address: tuple[str, int], key: str | None) -> Caller:
        """Return the API as the holder of `key` has it. The audit log names `address`, the person's host and port."""
        transport = httpx.ASGITransport(app=self._app, raise_app_exceptions=False, client=address)
        return Caller(httpx.AsyncClient(transport=transport, base_url=_BASE, timeout=600), key)


def _json(answer: httpx.Response) -> Any:
    return answer.json() if answer.content else None


def _error(answer: httpx.Response) -> ApiError:
    try:
        error = answer.json()["error"]
        return ApiError(answer.status_code, str(error["type"]), str(error["message"]), error.get("param"))
    except (ValueError, KeyError, TypeError):
        return ApiError(answer.status_code, "unknown", f"the service answered {answer.status_code}: look into its log")
