"""`instar load` says what it leaves out by its exit code."""

from functools import partial
from pathlib import Path

import httpx
import pytest

from instar.client import Instar
from instar.command_line import main
from tests.unit.instar.service import Service
from tests.unit.instar.test_comparing import ROWS, page, write


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
