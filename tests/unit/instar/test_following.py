"""Both clients follow a job over a restart of the service, and say so when the service or the job is lost."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from instar.client import Lost, NotReached, Refused
from instar.client.following import Following
from tests.unit.instar.clients import JOB, Answering, both, each, reply

NO_JOB = {"error": {"type": "not_found", "message": "there is no job 'j': ids come from POST /admin/reload"}}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.client.following.POLL_SECONDS", 0)


def restarting(*answers: httpx.Response | type[httpx.TransportError]) -> Callable[[], Answering]:
    """Services that answer so, one after the other; a class is the way in which a connection is lost."""

    def start() -> Answering:
        left: Iterator[httpx.Response | type[httpx.TransportError]] = iter(answers)

        def answer(_: httpx.Request) -> httpx.Response:
            following = next(left)
            if isinstance(following, httpx.Response):
                return httpx.Response(following.status_code, headers=following.headers, content=following.content)
            raise following("gone")

        return answer

    return start


def state(name: str) -> httpx.Response:
    return httpx.Response(200, json=JOB | {"state": name})


def test_a_job_is_followed_to_its_end() -> None:
    states = [reply(200, json=JOB | {"state": name}) for name in ("running", "refused")]
    for ended, requests in both(lambda client: client.wait(JOB), *states):
        assert ended["state"] == "refused"
        assert [request.url.path for request in requests] == ["/admin/jobs/j"] * 2


def test_a_job_is_followed_over_a_restart() -> None:
    service = restarting(
        state("running"),
        httpx.ReadError,
        httpx.ConnectError,
        httpx.Response(502, text="<html>bad gateway"),
        httpx.Response(404, text="404 page not found"),
        httpx.Response(200, text="<html>we will be back"),
        httpx.Response(503, headers={"Retry-After": "9"}, json={"error": {"type": "not_ready", "message": "loading"}}),
        state("running"),
        httpx.ConnectError,
        state("done"),
    )
    silences: list[str] = []
    for job, _ in each(lambda client: client.wait(JOB), service):
        assert job == JOB | {"state": "done"}
    for jobs, _ in each(lambda client: client.follow(JOB, silent=lambda error: silences.append(str(error))), service):
        assert jobs[-1]["state"] == "done"
    assert len(silences) == 4
    assert all("http://there did not answer (gone)" in said for said in silences)


def test_a_service_that_does_not_come_back_is_lost_with_the_job_as_it_was() -> None:
    clock = iter(range(0, 100_000, 100))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("instar.client.following.monotonic", lambda: next(clock))
        for lost, _ in each(
            lambda client: client.wait(JOB, patience=250), restarting(state("running"), *[httpx.ConnectError] * 9)
        ):
            assert isinstance(lost, Lost)
            assert lost.job["state"] == "running"
            assert isinstance(lost.__cause__, NotReached)
            assert "no answer for 250 seconds" in str(lost)
            assert "see GET /admin/jobs/j before anything is rolled back" in str(lost)


def test_patience_begins_anew_with_each_answer() -> None:
    clock = iter(range(0, 100_000, 100))
    outage = [httpx.ConnectError] * 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("instar.client.following.monotonic", lambda: next(clock))
        service = restarting(*outage, state("running"), *outage, state("running"), *outage, state("done"))
        for job, _ in each(lambda client: client.wait(JOB, patience=150), service):
            assert job["state"] == "done"


def test_a_job_that_the_service_does_not_know_any_more_is_lost_at_once() -> None:
    for lost, _ in each(
        lambda client: client.wait(JOB), restarting(httpx.ConnectError, httpx.Response(404, json=NO_JOB))
    ):
        assert isinstance(lost, Lost)
        assert "there is no job 'j'" in str(lost)
        assert "restarted with another data folder" in str(lost)
        assert "reload again where it is not the new one" in str(lost)


def test_a_refusal_is_no_silence() -> None:
    refusal: dict[str, Any] = {"error": {"type": "forbidden", "message": "this key has no scope admin"}}
    for error, _ in each(lambda client: client.wait(JOB), restarting(httpx.Response(403, json=refusal))):
        assert isinstance(error, Refused)
        assert error.status == 403


def limited(seconds: str | None) -> httpx.Response:
    body = {"error": {"type": "rate_limited", "message": "the key ops has used up what it may ask"}}
    return httpx.Response(429, headers={} if seconds is None else {"Retry-After": seconds}, json=body)


def test_a_limit_of_the_key_is_no_silence() -> None:
    said: list[Any] = []
    service = restarting(*[limited("0")] * 9, state("running"), limited(None), state("done"))
    for jobs, _ in each(lambda client: client.follow(JOB, patience=0, silent=said.append), service):
        assert jobs[-1]["state"] == "done"
    # Once for each client.
    assert len(said) == 2


def test_a_limit_of_the_key_is_waited_for_as_the_service_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.client.following.POLL_SECONDS", 0.5)
    said: list[Any] = []
    following = Following(0, said.append)
    pauses = []
    for seconds in (1, 1, 40, 1e9):
        following.bear(Refused("too many", 429, None, seconds), JOB)
        pauses.append(following.pause)
        following.answered(JOB)
    assert pauses == [1, 2, 40, 3600]
    assert [refused.retry_after for refused in said] == [1, 40, 1e9]
    # It is asked for less often than before.
    assert following.pause == 5
