"""`instar load` says what it leaves out by its exit code, and cuts for the model that answers now."""

import sys
from functools import partial
from pathlib import Path

import httpx
import pytest

from instar.client import Instar
from instar.command_line import main
from tests.unit.instar.service import Service
from tests.unit.instar.test_comparing import ROWS, page, write
from tests.unit.instar.test_watching import between


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service()
    monkeypatch.setattr("instar.commands.load.Instar", partial(Instar, transport=httpx.MockTransport(service)))
    return service


def load(*arguments: object) -> int:
    return main(["load", *map(str, arguments), "--url", "http://there"])


def test_two_of_one_name_are_refused_before_anything_is_sent(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = (page(tmp_path / name / "docs" / "index.md", name).parent for name in "ab")
    assert load(a, b) == 2
    assert "2 of these are called docs" in capsys.readouterr().err
    assert load(tmp_path / "a" / "docs" / "index.md", tmp_path / "b" / "docs" / "index.md") == 2
    assert not service.asked


def test_a_path_that_is_not_there_is_a_wrong_argument(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in ((), ("--watch",)):
        assert load(page(tmp_path / "page.md", "Home"), tmp_path / "nothing", *more) == 2
        assert capsys.readouterr().err == f"{tmp_path / 'nothing'} is not there: name a folder or a file\n"
    assert not service.asked


def test_a_link_that_leads_to_itself_is_a_wrong_argument(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path, more in ((loop, ()), (loop, ("--name", "docs")), (loop / "docs", ())):
        assert load(path, *more) == 2
        assert capsys.readouterr().err.startswith(f"{path} is ")
    assert not service.asked


@pytest.mark.parametrize("tokens", ["0", "-5", "many"])
def test_a_number_of_tokens_is_from_1_on(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str], tokens: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        load(page(tmp_path / "page.md", "Home"), "--tokens", tokens)
    assert stopped.value.code == 2
    assert f"{tokens} is no number from 1 on: leave it out" in capsys.readouterr().err
    assert not service.asked


def test_of_many_ids_that_are_left_out_ten_are_named(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(write(tmp_path / "a.jsonl", *ROWS))
    capsys.readouterr()
    assert load(write(tmp_path / "b.jsonl", *ROWS[:20])) == 1
    assert f"as {', '.join(f'r{number} of a.jsonl' for number in range(10))}: give" in capsys.readouterr().err
    twice = [{"id": f"c{number % 20}", "text": "c"} for number in range(40)]
    assert load(write(tmp_path / "c.jsonl", *twice)) == 1
    said = capsys.readouterr().err
    assert (
        f"20 ids come twice, and the first counts, as {', '.join(f'c{number}' for number in range(10))}: give" in said
    )
    assert len(service.stored) == 120


MOVED = {"id": "moved", "text": "a row that moves"}


def test_a_row_that_moves_to_a_file_that_is_loaded_before_is_written(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = write(tmp_path / "a.jsonl", *ROWS[:3]), write(tmp_path / "b.jsonl", MOVED, *ROWS[3:6])
    assert load(a, b) == 0
    write(a, *ROWS[:3], MOVED)
    write(b, *ROWS[3:6])
    capsys.readouterr()
    load(a, b, "--dry-run")
    said = capsys.readouterr()
    # Nothing is free yet, and what would be written is counted once.
    assert said.out.count("passages of") == 2
    assert "a.jsonl would be loaded once more" in said.err
    assert load(a, b) == 0
    assert service.stored["moved"]["metadata"]["loaded_from"] == "a.jsonl"
    assert set(service.sent.values()) == {1, 2}


@pytest.mark.parametrize("by_proxy", [False, True])
@pytest.mark.parametrize("more", [(), ("--replace",)])
def test_in_a_watch_such_a_row_is_written_once_its_id_is_free(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...], *, by_proxy: bool
) -> None:
    a, b = write(tmp_path / "a.jsonl", *ROWS[:3]), write(tmp_path / "b.jsonl", MOVED, *ROWS[3:6])

    def owner() -> object:
        return service.stored["moved"]["metadata"]["loaded_from"]

    def taken() -> None:
        assert owner() == "b.jsonl"
        write(b, *ROWS[3:6])

    def break_off() -> None:
        # The network or the service is out when the turn of `a.jsonl` comes.
        service.writes_left, service.is_away = int(by_proxy), by_proxy

    def come_back() -> None:
        assert "moved" not in service.stored
        service.writes_left, service.is_away = 1, False

    begin = partial(write, a, *ROWS[:3], MOVED)
    between(monkeypatch, begin, taken, break_off, come_back, int)
    assert load(a, b, "--watch", *more) == 0
    assert owner() == "a.jsonl"


def test_in_a_watch_that_replaces_two_files_take_no_id_from_each_other(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = write(tmp_path / "a.jsonl", *ROWS[:3]), write(tmp_path / "b.jsonl", *ROWS[2:6])
    between(monkeypatch, lambda: write(b, *ROWS[2:7]), lambda: write(a, *ROWS[1:3]), int)
    assert load(a, b, "--watch", "--replace") == 1
    assert service.stored["r2"]["metadata"]["loaded_from"] == "a.jsonl"
    assert capsys.readouterr().err.count("as r2 of a.jsonl") == 2


def test_what_is_left_out_makes_the_exit_code_1(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = write(tmp_path / "a.jsonl", *ROWS)
    assert load(a) == 0
    assert load(write(tmp_path / "b.jsonl", ROWS[0], {"id": "new", "text": "new"})) == 1
    said = capsys.readouterr()
    assert "1 passages are not written, because their ids are those of another load, as r0 of a.jsonl" in said.err
    assert "1 written, 0 unchanged, 0 removed" in said.out
    assert load(write(tmp_path / "c.jsonl", {"id": "c", "text": "c"}, {"id": "c", "text": "d"})) == 1
    assert "1 ids come twice" in capsys.readouterr().err
    assert service.stored["c"]["text"] == "c"


def test_a_page_without_a_text_is_named_and_is_no_failure_until_it_had_one(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page(tmp_path / "docs" / "index.md", "Home")
    (tmp_path / "docs" / "plan.md").write_text("# Plan\n\n## Later\n")
    assert load(tmp_path / "docs") == 0
    said = capsys.readouterr()
    assert f"not read: {tmp_path / 'docs' / 'plan.md'}: no text in it" in said.err
    assert "1 passages of 1 files" in said.out
    (tmp_path / "docs" / "index.md").write_text("")
    assert load(tmp_path / "docs") == 1
    assert list(service.stored) == ["docs/index.md#home"]


def test_a_watch_cuts_for_the_model_that_answers_then(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.md"
    path.write_text("Seven words make up this short sentence. " * 5)

    def another_model() -> None:
        service.info |= {"model": "two@1", "max_length": 16}
        path.write_text("Seven words make up this short sentence. " * 6)

    between(monkeypatch, int, another_model, int)
    assert load(path, "--watch") == 0
    assert service.asked["/tokenizer"] == 2
    assert len(service.stored) > 3


@pytest.mark.parametrize("text", ["Nothing that was here before.", "The text of Home, which fails."])
def test_a_watch_whose_last_load_failed_ends_with_1(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    path = page(tmp_path / "page.md", "Home")

    def change() -> None:
        path.write_text(text)
        service.writes_left = 0

    between(monkeypatch, change, int)
    assert load(path, "--watch") == 1


def test_the_log_of_a_watch_has_each_load_at_once(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, log = page(tmp_path / "page.md", "Home"), tmp_path / "log"
    logged: list[str] = []
    between(monkeypatch, lambda: logged.append(log.read_text()))
    with log.open("w") as opened:
        monkeypatch.setattr(sys, "stdout", opened)
        load(path, "--watch")
    assert "1 passages of 1 files" in logged[0]
    assert service.stored


def test_a_watch_begins_when_the_service_comes(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = page(tmp_path / "page.md", "Home")
    service.writes_left = 0

    def come() -> None:
        service.writes_left = 1

    between(monkeypatch, int, come)
    assert load(path, "--watch") == 0
    assert list(service.stored) == ["page.md#home"]
