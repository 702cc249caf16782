"""Whatever goes wrong, both clients raise an InstarError that says what to do next."""

import datetime
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from instar.client import AsyncInstar, Instar, InstarError, NotReached, Refused, Unsendable, WrongSetting
from instar.client.errors import absent_is_empty
from instar.client.types import NewDocument
from instar.command_line import main
from tests.unit.instar.clients import Answering, answered, both, each, reply

DAY = datetime.date(2026, 5, 6)


def raised(ask: Callable[[Any], Any], answer: Answering) -> list[InstarError]:
    """The error that each client raises for a call to a service that answers so."""
    return [error for error, _ in each(ask, lambda: answer) if isinstance(error, InstarError)]


@pytest.mark.parametrize(
    "content",
    [
        {"text": "<html>Jenkins", "headers": {"Content-Type": "text/html"}},
        {"json": ["not", "an", "object"]},
        {"json": {"status": "UP"}},
        {"content": b"\xff\xfe{", "headers": {"Content-Type": "application/json"}},
        {"content": b"[" * 100_000, "headers": {"Content-Type": "application/json"}},
    ],
)
@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.info(),
        lambda client: client.search(query="where?"),
        lambda client: client.write(documents=[]),
        lambda client: client.delete(ids=["a"]),
        lambda client: client.documents(),
        lambda client: client.reload(model="m"),
    ],
)
def test_another_application_at_the_address_is_told(ask: Callable[[Any], Any], content: dict[str, Any]) -> None:
    errors = raised(ask, lambda _: httpx.Response(200, **content))
    assert len(errors) == 2
    for error in errors:
        assert isinstance(error, NotReached)
        assert "answered 200, but not as Instar does" in str(error)
        assert "does another application or a proxy answer there?" in str(error)
        assert not error.sent


@pytest.mark.parametrize(
    "content",
    [
        {"content": b'{"error": ' + b"[" * 100_000},
        {"json": {"error": {"type": 7, "param": 8, "message": ["no"]}}},
        {"json": {"error": "no"}},
        {"json": ["no"]},
    ],
)
@pytest.mark.parametrize("status", [404, 422])
def test_a_refusal_by_another_application_is_one(content: dict[str, Any], status: int) -> None:
    for ask in (lambda client: client.info(), lambda client: client.write_all([{"text": "one"}, {"text": "two"}])):
        errors = raised(ask, lambda _: httpx.Response(status, **content))
        assert len(errors) == 2
        for error in errors:
            assert isinstance(error, Refused)
            assert (error.status, error.type, error.param) == (status, None, None)
            assert isinstance(error.reason, str)


@pytest.mark.parametrize(
    "body",
    [
        "404 page not found",
        {"error": {"type": "not_found", "message": "GET /searhc: Not Found", "param": None}},
        {"error": {"type": "not_found", "message": "there is no generation 7", "param": "generation"}},
        {"error": {"message": "there is no collection 'a'", "param": "collection"}},
    ],
)
def test_nothing_but_a_collection_that_is_not_there_is_an_empty_one(body: Any) -> None:
    with pytest.raises(Refused, match="away"), absent_is_empty():
        raise Refused("away", 404, body)
    with absent_is_empty():
        raise Refused("no collection", 404, {"error": {"type": "not_found", "param": "collection"}})


@pytest.mark.parametrize("identity", ["", ".", ".."])
@pytest.mark.parametrize(
    "ask",
    [
        lambda client, identity: client.document(identity),
        lambda client, identity: client.job(identity),
        lambda client, identity: client.cancel(identity),
    ],
)
def test_an_id_by_which_another_address_would_be_asked_is_not_sent(
    ask: Callable[[Any, str], Any], identity: str
) -> None:
    answer, requests = answered()
    errors = raised(lambda client: ask(client, identity), answer)
    assert len(errors) == 2
    for error in errors:
        assert isinstance(error, Unsendable)
        assert f"the id {identity!r} cannot stand in an address: read all documents" in str(error)
    assert not requests


def test_a_broken_body_is_told() -> None:
    class Cut(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Any:
            yield b"\x1f\x8bnothing"

        async def __aiter__(self) -> Any:
            yield b"\x1f\x8bnothing"

    answer = lambda _: httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=Cut())  # noqa: E731
    errors = raised(lambda client: client.info(), answer)
    assert len(errors) == 2
    for error in errors:
        assert isinstance(error, NotReached)
        assert error.sent
        assert "sent an answer that cannot be read" in str(error)


def test_a_connection_that_never_stood_is_told_from_one_that_was_lost() -> None:
    for kind, sent in ((httpx.ConnectError, False), (httpx.ReadError, True), (httpx.ReadTimeout, True)):

        def fail(_: httpx.Request, kind: type[httpx.TransportError] = kind) -> httpx.Response:
            raise kind("gone")

        errors = raised(lambda client: client.info(), fail)
        assert [getattr(error, "sent", None) for error in errors] == [sent, sent]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:80a0",
        "ftp://localhost",
        "http://",
        "http://localhost:99999",
        "http://a\0b",
        "http://a..b:8080",
        f"http://{'a' * 64}:8080",
    ],
)
def test_an_address_that_is_none_is_a_wrong_setting(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in (Instar, AsyncInstar):
        with pytest.raises(WrongSetting, match=r"is no address of a service .* write http://HOST:PORT"):
            kind(url)
    assert main(["search", "where?", "--url", url]) == 2
    assert "write http://HOST:PORT into --url" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["localhost.", "bücher.example", "[::1]", "[fe80::1]", "10.0.0.1", "under_score"])
def test_an_address_that_is_one_is_taken(host: str) -> None:
    Instar(f"http://{host}:8080").close()


def test_a_port_of_the_environment_that_is_none_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTAR_PORT", "http")
    with pytest.raises(WrongSetting, match="a number into INSTAR_PORT"):
        Instar()


@pytest.mark.parametrize("key", ["schlüssel", "secret\n", " secret", "se\0cret"])
def test_a_key_that_no_header_can_have_is_a_wrong_setting_and_is_not_shown(
    key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in (Instar, AsyncInstar):
        with pytest.raises(WrongSetting, match="copy it again") as error:
            kind("http://there", key=key)
        assert key.strip() not in str(error.value)
    assert main(["search", "where?", "--key", key]) == 2
    assert "copy it again (--key, INSTAR_KEY" in capsys.readouterr().err


def test_a_proxy_of_the_environment_that_is_none_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "foo://proxy:1")
    for kind in (Instar, AsyncInstar):
        with pytest.raises(WrongSetting, match="look at HTTP_PROXY"):
            kind("http://there")


def test_a_moved_service_says_where_it_is() -> None:
    moved = reply(301, headers={"Location": "https://there/info"})
    with pytest.raises(Refused, match="it is at https://there/info now: give that address"):
        both(lambda client: client.info(), moved)


@pytest.mark.parametrize("wait", ["nan", "-1", "soon"])
def test_a_pause_that_is_none_is_not_slept(wait: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.client.call._FIRST_PAUSE", 0.0)
    busy = reply(503, headers={"Retry-After": wait})
    for answer, requests in both(lambda client: client.info(), busy, reply(200, json={"collections": {}})):
        assert answer == {"collections": {}}
        assert len(requests) == 2


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (
            lambda client: client.write(documents=[{"id": "a", "text": "t", "metadata": {"of": {"day": DAY}}}]),
            "documents.0.metadata.of.day is no JSON (Object of type date is not JSON serializable): make it a string",
        ),
        (lambda client: client.search(query="q", min_score=float("nan")), "min_score is no JSON"),
        (lambda client: client.search(query="half \ud800"), "query is no JSON"),
        (lambda client: client.documents("half \ud800"), "GET /documents was not sent: it cannot be sent"),
        (lambda client: client.document("x" * 70_000), "was not sent: it cannot be sent (URL"),
    ],
)
def test_a_request_that_cannot_be_one_is_not_sent(ask: Callable[[Any], Any], reason: str) -> None:
    answer, requests = answered()
    errors = raised(ask, answer)
    assert len(errors) == 2
    for error in errors:
        assert isinstance(error, Unsendable)
        assert reason in str(error)
    assert not requests


def test_metadata_that_holds_itself_is_no_json() -> None:
    circle: dict[str, Any] = {}
    circle["self"] = circle
    answer, requests = answered()
    for error in raised(lambda client: client.write(documents=[{"text": "t", "metadata": circle}]), answer):
        assert isinstance(error, Unsendable)
    assert not requests


def hundreds(bad: int) -> list[NewDocument]:
    """Documents of three portions, of which one has a date in its metadata."""
    return [
        {"id": f"d{number}", "text": "one", "metadata": {"at": DAY if number == bad else str(DAY)}}
        for number in range(300)
    ]


def written(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"ids": [], "written": request.content.count(b'"id"'), "unchanged": 0})


def test_a_document_of_a_list_that_is_no_json_is_named_before_any_is_written() -> None:
    answer, requests = answered()
    errors = raised(lambda client: client.write_all(hundreds(200)), answer)
    assert len(errors) == 2
    for error in errors:
        assert isinstance(error, Unsendable)
        assert "the document 'd200' cannot be sent, and none was: metadata.at is no JSON" in str(error)
    assert not requests


def test_a_document_of_a_stream_that_is_no_json_is_handed_out_and_all_others_are_written() -> None:
    refused: list[tuple[str | None, str]] = []
    for counts, _ in each(
        lambda client: client.write_all(
            hundreds(200), refused=lambda document, error: refused.append((document.get("id"), error.reason))
        ),
        lambda: written,
    ):
        assert (counts.written, counts.refused) == (299, 1)
    assert [identity for identity, _ in refused] == ["d200"] * 2
    assert "documents.0.metadata.at is no JSON" in refused[0][1]
    for error in raised(lambda client: client.write_all(iter(hundreds(200))), written):
        assert isinstance(error, Unsendable)
        assert "the document 'd200' was refused, and those after it were not sent" in str(error)


def test_a_collection_that_is_no_json_is_no_fault_of_a_document() -> None:
    taken: list[object] = []
    answer, _ = answered()
    errors = raised(
        lambda client: client.write_all(
            [{"text": "one"}], "half \ud800", refused=lambda document, _: taken.append(document)
        ),
        answer,
    )
    assert [getattr(error, "param", None) for error in errors] == ["collection"] * 2
    assert not taken
