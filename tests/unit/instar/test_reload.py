"""`instar reload` ends by a code that a script can go by, also when the service is lost on the way."""

from functools import partial
from typing import Any

import httpx
import pytest

from instar.client import Instar
from instar.command_line import main
from instar.commands import reload

JOB: dict[str, Any] = {
    "id": "j",
    "state": "running",
    "stage": "embed",
    "done": 1,
    "total": 2,
    "kind": "dense",
    "generation": 2,
    "checkpoint": "new@1",
    "reused": 0,
    "judged": None,
    "reason": "it is worse",
    "warnings": [],
}
Answer = httpx.Response | type[httpx.TransportError] | type[KeyboardInterrupt]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.client.following.POLL_SECONDS", 0)


def job(state: str) -> httpx.Response:
    return httpx.Response(200, json=JOB | {"state": state})


def code(monkeypatch: pytest.MonkeyPatch, *answers: Answer, options: tuple[str, ...] = ("--wait",)) -> int:
    """The exit code of a reload that is answered so, one after the other."""
    left = iter(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        following = next(left)
        if isinstance(following, httpx.Response):
            return following
        raise following("gone")

    monkeypatch.setattr(reload, "Instar", partial(Instar, transport=httpx.MockTransport(answer)))
    return main(["reload", "new", *options])


@pytest.mark.parametrize(("state", "expected"), [("done", 0), ("failed", 1), ("cancelled", 1), ("refused", 3)])
def test_the_code_is_how_the_reload_ends_also_over_a_restart(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], state: str, expected: int
) -> None:
    restart = (httpx.ReadError, httpx.ConnectError, httpx.Response(503, json={}))
    assert code(monkeypatch, job("queued"), job("running"), *restart, job("running"), job(state)) == expected
    assert "asking again, for the reload outlives a restart" in capsys.readouterr().err


def test_a_service_that_is_lost_for_good_is_no_failure_of_the_reload(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(monkeypatch, job("queued"), httpx.ReadError, options=("--wait", "--patience", "0")) == 4
    said = capsys.readouterr().err
    assert "see GET /admin/jobs/j before anything is rolled back" in said
    assert said.endswith("the job is j\n")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, json={"error": {"type": "not_found", "message": "there is no job 'j'"}}),
        httpx.Response(401, json={"error": {"type": "unauthorized", "message": "this key is not known here"}}),
    ],
)
def test_a_job_that_cannot_be_followed_further_is_no_failure_of_the_reload(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: httpx.Response
) -> None:
    assert code(monkeypatch, job("queued"), answer) == 4
    assert "the job is j" in capsys.readouterr().err


@pytest.mark.parametrize("options", [(), ("--wait",)])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.ConnectError, 1),
        (httpx.Response(409, json={"error": {"type": "conflict", "message": "a reload runs"}}), 1),
        (httpx.ReadError, 4),
        (httpx.Response(502, text="<html>"), 4),
        (httpx.Response(200, text="<html>"), 1),
        (httpx.Response(200, json={"status": "UP"}), 1),
    ],
)
def test_a_reload_that_may_have_begun_is_told_from_one_that_has_not(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    answer: Answer,
    expected: int,
) -> None:
    assert code(monkeypatch, answer, options=options) == expected
    assert ("the reload may have begun: see GET /admin/jobs" in capsys.readouterr().err) == (expected == 4)


def test_ctrl_c_ends_the_waiting_and_says_that_the_reload_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(monkeypatch, job("queued"), job("running"), KeyboardInterrupt) == 130
    said = capsys.readouterr().err
    assert "the job j goes on in the service" in said
    assert "DELETE /admin/jobs/j cancels it" in said
    assert code(monkeypatch, KeyboardInterrupt) == 130
    assert "the reload may have begun: see GET /admin/jobs" in capsys.readouterr().err


def test_a_limited_key_is_told_that_it_asks_less_often(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    used_up = httpx.Response(429, headers={"Retry-After": "0"}, json={"error": {"message": "wait"}})
    assert code(monkeypatch, job("queued"), used_up, job("done"), options=("--wait", "--patience", "0")) == 0
    said = capsys.readouterr().err
    assert "asking less often, and the reload goes on" in said
    assert "restart" not in said
