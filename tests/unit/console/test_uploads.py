"""A form with a file is read as it comes, and the file is never held."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from starlette.requests import Request

from service.console import uploads
from service.console.public_api import ApiError
from service.console.uploads import Upload


def form(fields: dict[str, str], content: bytes, filename: str = "tuned.zip") -> tuple[dict[str, str], bytes]:
    """A form as a client sends it, with its file at the end."""
    request = httpx.Request("POST", "http://here/", data=fields, files={"file": (filename, content)})
    return dict(request.headers), request.read()


def request(headers: dict[str, str], parts: list[bytes]) -> tuple[Request, Callable[[], int]]:
    """A request whose body comes in these parts, and how many of them have been taken."""
    taken = 0

    async def receive() -> dict[str, object]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": parts[taken - 1], "more_body": taken < len(parts)}

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive), lambda: taken


async def whole(parts: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in parts])


async def read(headers: dict[str, str], parts: list[bytes]) -> tuple[Upload, bytes]:
    upload = await uploads.read(request(headers, parts)[0])
    return upload, await whole(upload.parts)


# A line that looks like the beginning of the boundary, and bytes that are no text.
CONTENT = b"PK\x03\x04\r\n--\r\n--x\xff\x00" + bytes(range(256)) * 40


@pytest.mark.parametrize("step", [1, 7, 100, 100_000])
@pytest.mark.parametrize("content", [CONTENT, b"", b"\r\n"])
def test_fields_file_and_size_are_those_that_were_sent_however_they_come(step: int, content: bytes) -> None:
    headers, body = form({"form_token": "abc", "name": "größe"}, content)
    parts = [body[start : start + step] for start in range(0, len(body), step)]
    upload, received = asyncio.run(read(headers, parts))
    assert upload.fields == {"form_token": "abc", "name": "größe"}
    assert (upload.filename, upload.size, received) == ("tuned.zip", len(content), content)


def test_the_file_is_passed_on_while_it_comes() -> None:
    headers, body = form({"form_token": "abc"}, b"x" * 100_000)
    parts = [body[start : start + 1000] for start in range(0, len(body), 1000)]

    async def passed_on() -> tuple[int, int]:
        incoming, taken = request(headers, parts)
        upload = await uploads.read(incoming)
        before = taken()
        await anext(upload.parts)
        await anext(upload.parts)
        return before, taken()

    before, after = asyncio.run(passed_on())
    assert before <= 2
    assert after <= 3


def test_a_form_without_a_length_has_a_file_of_unknown_size() -> None:
    headers, body = form({}, b"some")
    del headers["content-length"]
    upload, received = asyncio.run(read(headers, [body]))
    assert (upload.size, received) == (None, b"some")


def refusal(headers: dict[str, str], body: bytes) -> ApiError:
    with pytest.raises(ApiError) as caught:
        asyncio.run(read(headers, [body]))
    return caught.value


def test_a_form_without_a_file_is_refused() -> None:
    boundary = "multipart/form-data; boundary=xyz"
    body = b'--xyz\r\nContent-Disposition: form-data; name="name"\r\n\r\ntuned\r\n--xyz--\r\n'
    assert "the form has no file" in refusal({"Content-Type": boundary}, body).message


def test_other_bodies_are_refused() -> None:
    assert refusal({"Content-Type": "application/json"}, b"{}").status == 415
    assert refusal({}, b"").status == 415
    assert refusal({"Content-Type": "multipart/form-data"}, b"").status == 415
    assert refusal({"Content-Type": "multipart/form-data; boundary=xyz"}, b"nonsense").status == 400


def test_a_form_that_ends_within_its_file_is_refused() -> None:
    headers, body = form({}, b"x" * 1000)
    assert "ends within the file" in refusal(headers, body[:-200]).message


def test_long_fields_are_refused_before_they_fill_the_memory() -> None:
    headers, body = form({"name": "x" * 200_000}, b"")
    assert refusal(headers, body).status == 413
