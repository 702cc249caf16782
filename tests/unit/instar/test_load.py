"""A load sends what the service does not have, says what is refused, and goes on where a broken network ended it."""

from pathlib import Path

import httpx
import pytest

from instar.client import Instar
from instar.loading.comparing import Outcome
from instar.loading.cutting import Cutter
from instar.loading.load import Load, Stopped
from instar.loading.origin import Mistaken, Origin
from tests.unit.instar.service import FORBIDDEN, Service
from tests.unit.instar.test_cutting import tokenizer


def load(service: Service, folder: Path, advanced: list[int] | None = None) -> Outcome:
    origin = Origin.of(folder)
    advance = advanced.append if advanced is not None else int
    with Instar("http://there", transport=httpx.MockTransport(service)) as client:
        return Load(client, Cutter(tokenizer(), 64, ""), "notes").run(origin, origin.listing(), advance)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three hundred files, each of one passage."""
    (tmp_path / "docs").mkdir()
    for number in range(300):
        (tmp_path / "docs" / f"{number:03}.md").write_text(f"# Page {number}\n\nThe text of page {number}.\n")
    return tmp_path / "docs"


def test_after_a_broken_network_the_same_command_sends_only_what_is_left(folder: Path) -> None:
    service = Service()
    service.writes_left = 2
    words = (
        r"http://there did not answer \(the cable is out\).*; 256 passages are written by now: the same command sends"
    )
    with pytest.raises(Stopped, match=words):
        load(service, folder)
    assert len(service.stored) == 256
    service.writes_left = 1
    outcome = load(service, folder)
    assert (outcome.written, outcome.unchanged, outcome.removed) == (44, 256, 0)
    assert set(service.sent.values()) == {1}
    assert len(service.sent) == 300


def test_a_network_that_is_broken_from_the_beginning_is_told_as_it_is(folder: Path) -> None:
    service = Service()
    service.writes_left = 0
    with pytest.raises(Exception, match="is the service there, and the port right") as error:
        load(service, folder)
    assert not isinstance(error.value, Stopped)


def test_nothing_is_removed_before_all_has_been_sent(folder: Path) -> None:
    service = Service()
    load(service, folder)
    for path in list(folder.iterdir())[:150]:
        path.unlink()
    for path in folder.iterdir():
        path.write_text(path.read_text().replace("text", "new text"))
    service.writes_left = 1
    with pytest.raises(Stopped):
        load(service, folder)
    assert len(service.stored) == 300
    service.writes_left = 1
    outcome = load(service, folder)
    assert (outcome.written, outcome.unchanged, outcome.removed) == (22, 128, 150)
    assert len(service.stored) == 150


def test_a_refused_passage_is_told_with_the_reason_and_keeps_what_it_had(folder: Path) -> None:
    service = Service()
    load(service, folder)
    (folder / "007.md").write_text(f"# Page 7\n\nSomething {FORBIDDEN}.\n")
    (folder / "008.md").write_text("# Page 8\n\nSomething new.\n")
    outcome = load(service, folder)
    assert outcome.refused == [("docs/007.md#page-7", "text is too bad: mend it")]
    assert (outcome.written, outcome.unchanged, outcome.removed) == (1, 298, 0)
    assert "The text of page 7" in service.stored["docs/007.md#page-7"]["text"]


def test_progress_comes_to_the_bytes_of_all_files_and_within_a_long_one(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"id": "r{number}", "text": "row"}}\n' for number in range(1000)))
    (tmp_path / "empty.md").write_text("\n")
    (tmp_path / "broken.csv").write_text("a\n1\n")
    advanced: list[int] = []
    outcome = load(Service(), tmp_path, advanced)
    assert len(outcome.unreadable) == 1
    assert sum(advanced) == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert len(advanced) == 1002


def test_a_file_that_is_gone_when_it_is_looked_for_is_told(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("text")
    origin = Origin.of(path)
    path.unlink()
    with pytest.raises(Mistaken, match="is not there"):
        origin.listing()


def test_a_row_without_text_is_counted_and_makes_no_passage(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,text\n1,One.\n2,\n,\n3, \n4,Four.\n")
    service = Service()
    outcome = load(service, tmp_path)
    assert (outcome.written, outcome.rows_without_text, outcome.unreadable) == (2, 2, [])
    assert sorted(service.stored) == ["1", "4"]
