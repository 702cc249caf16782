"""Both clients write any number of documents in portions, and say which ones were refused, and why."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from instar.client import AsyncInstar, Counts, Instar, NotReached, Refused
from instar.client.types import NewDocument

# The sign by which a text is refused in these tests.
BLANK = " "


class Service:
    """Writes the documents of a request as a whole or not at all, as the service does, and remembers them."""

    def __init__(self) -> None:
        self.portions: list[list[str]] = []
        self.deleted: list[str] = []
        # The number of requests after which the network is gone.
        self.lasts: int | None = None

    @property
    def ids(self) -> list[str]:
        return [identity for portion in self.portions for identity in portion]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.lasts is not None:
            self.lasts -= 1
            if self.lasts < 0:
                raise httpx.ReadError("reset")
        body = json.loads(request.content)
        if request.url.path == "/documents/delete":
            self.deleted += body["ids"]
            return httpx.Response(200, json={"deleted": len(body["ids"])})
        if body["collection"] == "no\0name":
            return refusal("collection contains the character U+0000: remove it", "collection")
        if len(request.content) > 400_000:
            return refusal("the body is larger than 400000 bytes: send less at a time", None, 413)
        for index, document in enumerate(body["documents"]):
            if document["text"] == BLANK:
                where = f"documents.{index}.text"
                return refusal(f"{where} is empty or blank: send text, or leave it out", where)
        ids = [document["id"] for document in body["documents"]]
        self.portions.append(ids)
        return httpx.Response(200, json={"ids": ids, "written": len(ids), "unchanged": 0, "windows": len(ids)})


def refusal(message: str, param: str | None, status: int = 422) -> httpx.Response:
    return httpx.Response(status, json={"error": {"type": "invalid_request", "message": message, "param": param}})


def documents(*texts: str) -> Iterator[NewDocument]:
    return ({"id": f"d{number}", "text": text} for number, text in enumerate(texts))


def each(ask: Callable[[Any], Any], lasts: int | None = None) -> list[tuple[Any, Service]]:
    """What both clients answer, or raise, each with the service that it wrote to."""

    async def asynchronous(service: Service) -> Any:
        async with AsyncInstar("http://there", transport=httpx.MockTransport(service)) as client:
            return await ask(client)

    def synchronous(service: Service) -> Any:
        with Instar("http://there", transport=httpx.MockTransport(service)) as client:
            return ask(client)

    answers = []
    for run in (synchronous, lambda service: asyncio.run(asynchronous(service))):
        service = Service()
        service.lasts = lasts
        try:
            answers.append((run(service), service))
        except (Refused, NotReached) as error:
            answers.append((error, service))
    return answers


def test_documents_go_in_portions_in_their_order_and_are_counted() -> None:
    for counts, service in each(lambda client: client.write_all(documents(*["one"] * 300))):
        assert counts == Counts(written=300)
        assert [len(portion) for portion in service.portions] == [128, 128, 44]
        assert service.ids == [f"d{number}" for number in range(300)]


def test_long_documents_make_small_portions_and_none_makes_no_request() -> None:
    long = "x" * 100_000
    for _, service in each(lambda client: client.write_all(documents(long, long, long, long * 3, long))):
        assert service.portions == [["d0", "d1"], ["d2"], ["d3"], ["d4"]]
    for counts, service in each(lambda client: client.write_all([])):
        assert (counts, service.portions) == (Counts(), [])


def test_few_documents_are_held_at_a_time() -> None:
    read: list[str] = []
    held: list[int] = []

    def write(client: Any) -> Any:
        def reading() -> Iterator[NewDocument]:
            for document in documents(*["one"] * 1000):
                read.append(document["text"])
                yield document

        read.clear()
        return client.write_all(reading(), progress=lambda answer: held.append(len(read) - int(answer["ids"][0][1:])))

    each(write)
    assert len(held) == 16
    # The portion, and the document that is the first of the next one.
    assert max(held) == 129


def test_a_refused_document_is_handed_out_with_the_reason_and_all_others_are_written() -> None:
    for bad in ({5}, {0, 1, 129}, set(range(130))):
        texts = [BLANK if number in bad else "one" for number in range(130)]
        refused: list[tuple[str, str]] = []

        def write(client: Any, texts: list[str] = texts, refused: list[tuple[str, str]] = refused) -> Any:
            return client.write_all(
                documents(*texts), refused=lambda document, error: refused.append((document["id"], error.reason))
            )

        for counts, service in each(write):
            assert counts == Counts(written=130 - len(bad), refused=len(bad))
            assert service.ids == [f"d{number}" for number in range(130) if number not in bad]
        reason = "documents.0.text is empty or blank: send text, or leave it out"
        assert refused == [(f"d{number}", reason) for number in sorted(bad)] * 2


def test_a_refused_document_that_nobody_takes_ends_the_writing_and_is_named() -> None:
    for error, service in each(lambda client: client.write_all(documents("one", "two", BLANK, "four"))):
        assert isinstance(error, Refused)
        assert "the document 'd2' was refused, and those after it were not sent" in str(error)
        assert "is empty or blank" in str(error)
        assert error.status == 422
        assert service.ids == ["d0", "d1"]


def test_a_portion_that_is_too_large_as_a_whole_is_divided() -> None:
    # Every character takes three bytes.
    for counts, service in each(lambda client: client.write_all(documents(*["€" * 60_000] * 4))):
        assert counts == Counts(written=4)
        assert service.portions == [["d0", "d1"], ["d2", "d3"]]


def test_a_refusal_of_something_else_than_a_document_is_sent_once() -> None:
    taken: list[object] = []
    for error, _ in each(
        lambda client: client.write_all(
            documents("one", "two"), "no\0name", refused=lambda document, _: taken.append(document)
        )
    ):
        assert isinstance(error, Refused)
        assert error.param == "collection"
        assert str(error).startswith("http://there/documents answered 422: collection contains")
    assert not taken


def test_a_lost_connection_ends_the_writing_and_what_was_written_stays() -> None:
    for error, service in each(lambda client: client.write_all(documents(*["one"] * 300)), lasts=2):
        assert isinstance(error, NotReached)
        assert [len(portion) for portion in service.portions] == [128, 128]


def test_a_busy_service_gets_the_portion_again(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("instar.client.synchronous.time.sleep", slept.append)
    service = Service()
    busy = iter([httpx.Response(429, headers={"Retry-After": "2"}, json={}) for _ in range(2)])
    answer = lambda request: next(busy, None) or service(request)  # noqa: E731
    with Instar("http://there", transport=httpx.MockTransport(answer)) as client:
        assert client.write_all(documents("one", "two")) == Counts(written=2)
    assert service.portions == [["d0", "d1"]]
    assert len(slept) == 2


def test_many_ids_are_deleted_in_portions() -> None:
    ids = [f"d{number}" for number in range(200)]
    for deleted, service in each(lambda client: client.delete_all(iter(ids), "notes")):
        assert deleted == 200
        assert service.deleted == ids
