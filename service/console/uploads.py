"""Forms that end with a file: the fields are read first, and the file is passed on as it comes and never held.

A form is `multipart/form-data` (RFC 7578), as a browser without a script sends it. The file is its last field:
later ones are passed over.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from service.console.public_api import ApiError

# Most bytes of all fields before the file.
_MOST_FIELDS = 100_000


@dataclass(frozen=True, slots=True)
class Upload:
    """The fields of a form, the name of its file, and the bytes of the file in parts. `size` is their number.

    `size` is None if the browser did not say how long the form is.
    """

    fields: dict[str, str]
    filename: str
    size: int | None
    parts: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class _Event:
    """A step of the parser."""

    kind: str
    content: bytes = b""


class _Form:
    """Turns the body of a request into events. `position` counts the bytes that were read."""

    def __init__(self, request: Request, boundary: bytes) -> None:
        self.position = 0
        # Byte by byte the position is known when the file begins. From then on it does not matter.
        self.is_exact = True
        self._request = request
        self._pending: list[_Event] = []
        self._parser = MultipartParser(
            boundary,
            {
                "on_header_field": partial(self._text, "field"),
                "on_header_value": partial(self._text, "value"),
                "on_header_end": partial(self._step, "header"),
                "on_headers_finished": partial(self._step, "head"),
                "on_part_data": partial(self._text, "data"),
                "on_part_end": partial(self._step, "part"),
            },
        )

    async def events(self) -> AsyncIterator[_Event]:
        async for content in self._request.stream():
            start = 0
            while start < len(content):
                end = start + 1 if self.is_exact else len(content)
                for event in self._parse(content[start:end]):
                    yield event
                start = end

    def _parse(self, content: bytes) -> list[_Event]:
        self._pending = []
        try:
            self._parser.write(content)
        except FormParserError as error:
            raise _broken(str(error)) from error
        self.position += len(content)
        return self._pending

    def _text(self, kind: str, content: bytes, start: int, end: int) -> None:
        self._pending.append(_Event(kind, content[start:end]))

    def _step(self, kind: str) -> None:
        self._pending.append(_Event(kind))


async def read(request: Request) -> Upload:
    """Read a form up to the beginning of its file. Raises ApiError if it is none, or has no file."""
    kind, options = parse_options_header(request.headers.get("Content-Type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise ApiError(415, "invalid_request", "a file is sent as multipart/form-data: use the form of the page")
    form = _Form(request, boundary)
    events = form.events()
    fields: dict[str, str] = {}
    async for name, filename in _heads(events):
        if filename is not None:
            form.is_exact = False
            length = request.headers.get("Content-Length", "")
            size = int(length) - form.position - len(b"\r\n--" + boundary + b"--\r\n") if length.isdecimal() else None
            return Upload(fields, filename, size, _file(events))
        fields[name] = await _field(events)
        if form.position > _MOST_FIELDS:
            raise _too_long()
    raise ApiError(422, "invalid_request", "the form has no file: choose one, or drop one onto the field")


async def _heads(events: AsyncIterator[_Event]) -> AsyncIterator[tuple[str, str | None]]:
    """Yield the name of each part, and the name of its file, if it has one; the caller reads its content between."""
    field = value = b""
    options: dict[bytes, bytes] = {}
    async for event in events:
        if event.kind == "field":
            field += event.content
        elif event.kind == "value":
            value += event.content
        elif event.kind == "header":
            if field.lower() == b"content-disposition":
                options = parse_options_header(value)[1]
            field = value = b""
        elif event.kind == "head":
            filename = options.get(b"filename")
            yield _string(options.get(b"name", b"")), None if filename is None else _string(filename)
            options = {}


async def _field(events: AsyncIterator[_Event]) -> str:
    content = bytearray()
    async for event in events:
        if event.kind == "part":
            break
        content += event.content
        if len(content) > _MOST_FIELDS:
            raise _too_long()
    return _string(bytes(content))


async def _file(events: AsyncIterator[_Event]) -> AsyncIterator[bytes]:
    async for event in events:
        if event.kind == "part":
            return
        yield event.content
    raise _broken("it ends within the file")


def _string(content: bytes) -> str:
    return content.decode(errors="replace")


def _broken(reason: str) -> ApiError:
    return ApiError(400, "invalid_request", f"the form is broken ({reason}): send it again")


def _too_long() -> ApiError:
    return ApiError(413, "too_large", f"the fields of a form have at most {_MOST_FIELDS:,} bytes: send less")
