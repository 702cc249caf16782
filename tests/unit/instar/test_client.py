"""Both clients send the same calls, read the same answers, try again when they are asked to, and say what was said."""

import asyncio
import inspect
import json

import httpx
import pytest

from instar.client import AsyncInstar, Instar, NotReached, Refused
from tests.unit.instar.clients import answered, both, reply


def test_both_have_the_same_methods_with_the_same_parameters_and_words() -> None:
    one, other = (
        {name: function for name, function in vars(kind).items() if not name.startswith("_")}
        for kind in (Instar, AsyncInstar)
    )
    assert one.keys() == other.keys()
    for name, function in one.items():
        parameters = [inspect.signature(each).parameters for each in (function, other[name])]
        assert parameters[0] == parameters[1], name
        assert function.__doc__ == other[name].__doc__


def test_a_search_is_sent_with_the_key_and_its_answer_returned() -> None:
    answers = both(lambda client: client.search(query="where?", k=3), reply(200, json={"results": []}), key="secret")
    for answer, (request,) in answers:
        assert answer == {"results": []}
        assert (request.method, str(request.url)) == ("POST", "http://there/search")
        assert json.loads(request.content) == {"query": "where?", "k": 3}
        assert request.headers["Authorization"] == "Bearer secret"


def test_lists_are_read_to_the_last_page() -> None:
    pages = (
        reply(200, json={"documents": [{"id": "a"}], "next": "n"}),
        reply(200, json={"documents": [{"id": "b"}], "next": None}),
    )
    for documents, requests in both(lambda client: client.documents("notes"), *pages):
        assert [document["id"] for document in documents] == ["a", "b"]
        assert [request.url.params.get("cursor") for request in requests] == [None, "n"]
    for documents, requests in both(lambda client: client.matching(filter={"a": 1}), *pages):
        assert [document["id"] for document in documents] == ["a", "b"]
        assert [json.loads(request.content).get("cursor") for request in requests] == [None, "n"]


def test_a_busy_service_is_asked_again_when_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("instar.client.synchronous.time.sleep", slept.append)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    busy = reply(429, headers={"Retry-After": "2"}, json={"error": {"message": "later", "type": "busy"}})
    for answer, requests in both(lambda client: client.info(), busy, reply(200, json={"collections": {"notes": 1}})):
        assert answer == {"collections": {"notes": 1}}
        assert len(requests) == 2
    assert all(2 <= seconds <= 2.5 for seconds in slept)
    with pytest.raises(Refused, match="answered 429: later") as refused:
        both(lambda client: client.info(), busy, busy, retries=1)
    assert (refused.value.status, refused.value.type) == (429, "busy")


def test_a_refusal_has_the_words_of_the_service_and_is_not_sent_again() -> None:
    wrong = reply(422, json={"error": {"message": "send a question", "type": "invalid", "param": "query"}})
    with pytest.raises(Refused, match="http://there/search answered 422: send a question"):
        both(lambda client: client.search(query=""), wrong)
    with pytest.raises(Refused, match="answered 502: <html>"):
        both(lambda client: client.info(), reply(502, text="<html>"))


def test_a_service_that_is_not_there_is_named() -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with Instar("there:1", transport=httpx.MockTransport(fail)) as client, pytest.raises(NotReached) as error:
        client.info()
    assert "http://there:1" in str(error.value)


def test_address_and_key_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTAR_URL", "http://elsewhere:9000")
    monkeypatch.setenv("INSTAR_ADMIN_KEY", "admin")
    answer, requests = answered(*[reply(200, json={"collections": {}})] * 2)
    with Instar(transport=httpx.MockTransport(answer)) as client:
        client.info()
    monkeypatch.setenv("INSTAR_KEY", "mine")
    monkeypatch.delenv("INSTAR_URL")
    monkeypatch.setenv("INSTAR_PORT", "81")
    with Instar(transport=httpx.MockTransport(answer)) as client:
        client.info()
    assert [str(request.url) for request in requests] == ["http://elsewhere:9000/info", "http://127.0.0.1:81/info"]
    assert [request.headers["Authorization"] for request in requests] == ["Bearer admin", "Bearer mine"]
