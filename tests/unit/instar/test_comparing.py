"""No load takes away what is somebody else's, or what it could not read, and whatever it leaves out is told."""

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from instar.client import Instar
from instar.loading.comparing import Outcome
from instar.loading.cutting import Cutter
from instar.loading.load import Load
from instar.loading.origin import Mistaken, Origin
from tests.unit.instar.service import Service
from tests.unit.instar.test_cutting import tokenizer
from tests.unit.instar.test_origin import refuse


def load(service: Service, *paths: Path, limit: int = 64, **flags: bool) -> list[Outcome]:
    """Load paths as one command does."""
    with Instar("http://there", transport=httpx.MockTransport(service)) as client:
        one = Load(client, Cutter(tokenizer(), limit, ""), "notes", **flags)
        return [one.run(origin, origin.listing()) for origin in map(Origin.of, paths)]


def counts(outcome: Outcome) -> tuple[int, int, int]:
    return outcome.written, outcome.unchanged, outcome.removed


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def page(path: Path, *headings: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(f"# {heading}\n\nThe text of {heading}." for heading in headings))
    return path


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    page(tmp_path / "docs" / "index.md", "Home")
    page(tmp_path / "docs" / "guide" / "start.md", "Start", "Go on", "End")
    return tmp_path / "docs"


def test_another_folder_that_shares_a_file_takes_nothing_away(docs: Path, tmp_path: Path) -> None:
    service = Service()
    load(service, docs)
    before = dict(service.stored)
    page(tmp_path / "b" / "docs" / "index.md", "Home", "Another home")
    page(tmp_path / "b" / "docs" / "other.md", "Other")
    words = r"3 of 4 passages .* 'docs' are not in .*, as docs/guide/start.md#end, so nothing was sent: .* --name; .*"
    with pytest.raises(Mistaken, match=f"{words}--replace"):
        load(service, tmp_path / "b" / "docs")
    assert service.stored == before
    (outcome,) = load(service, tmp_path / "b" / "docs", replace=True)
    assert counts(outcome) == (2, 1, 3)


def test_another_file_of_the_same_name_takes_nothing_away(tmp_path: Path) -> None:
    service = Service()
    load(service, page(tmp_path / "a" / "README.md", "A", "Install A", "License"))
    before = dict(service.stored)
    with pytest.raises(Mistaken, match=r"another 'README\.md'"):
        load(service, page(tmp_path / "b" / "README.md", "B", "Install B", "License"))
    with pytest.raises(Mistaken, match=r"another 'README\.md'"):
        load(service, tmp_path / "b" / "README.md", dry=True)
    assert service.stored == before


def test_the_same_documents_elsewhere_are_the_same_origin(docs: Path, tmp_path: Path) -> None:
    service = Service()
    load(service, docs)
    (tmp_path / "ci").mkdir()
    docs.rename(tmp_path / "ci" / "docs")
    (outcome,) = load(service, tmp_path / "ci" / "docs")
    assert counts(outcome) == (0, 4, 0)


def test_passages_that_are_cut_into_fewer_parts_are_still_there(tmp_path: Path) -> None:
    service = Service()
    (tmp_path / "long.md").write_text("# Long\n\n" + "Seven words make up this short sentence. " * 40)
    load(service, tmp_path / "long.md", limit=16)
    before = len(service.stored)
    (outcome,) = load(service, tmp_path / "long.md", limit=400)
    assert (outcome.written, outcome.removed) == (1, before - 1)
    assert before > 10


def test_what_cannot_be_read_is_told_and_keeps_what_is_stored_below(
    docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service()
    load(service, docs)
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", refuse(docs / "guide", os.scandir))
        (outcome,) = load(service, docs)
    assert counts(outcome) == (0, 1, 0)
    assert [unread.source for unread in outcome.unreadable] == ["docs/guide"]
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", refuse(docs, os.scandir))
        (outcome,) = load(service, docs, replace=True)
    assert counts(outcome) == (0, 0, 0)
    assert len(service.stored) == 4


def test_a_file_whose_text_is_gone_is_told_and_keeps_what_it_had(docs: Path) -> None:
    service = Service()
    load(service, docs)
    (docs / "index.md").write_text("# Home\n\n## Nothing yet\n")
    (docs / "empty.txt").write_text("\n")
    (outcome,) = load(service, docs)
    assert counts(outcome) == (0, 3, 0)
    assert outcome.files == 1
    assert list(map(str, outcome.unreadable)) == [
        f"{docs / 'index.md'}: no text in it; 1 passages that it had stay until the file is deleted"
    ]
    assert list(map(str, outcome.textless)) == [f"{docs / 'empty.txt'}: no text in it"]
    (docs / "index.md").unlink()
    assert counts(load(service, docs)[0]) == (0, 3, 1)


def test_a_scan_without_text_is_told(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("instar.loading.converting.from_file", lambda _: "")
    (docs / "scan.pdf").write_bytes(b"%PDF")
    (outcome,) = load(Service(), docs)
    ((unread),) = outcome.unreadable
    assert "OCR" in str(unread)


ROWS = [{"id": f"r{number}", "text": f"row {number}"} for number in range(100)]
OTHERS = [{"id": f"r{number}", "text": f"another row {number}"} for number in range(99, 200)]


@pytest.mark.parametrize("dry", [False, True])
def test_ids_that_two_files_of_a_command_share_are_the_first_ones(tmp_path: Path, *, dry: bool) -> None:
    service = Service()
    a, b = write(tmp_path / "a.jsonl", *ROWS), write(tmp_path / "b.jsonl", *OTHERS)
    first, second = load(service, a, b, dry=dry)
    assert (first.written, second.written) == (100, 100)
    assert second.taken == [("r99", "a.jsonl")]
    if not dry:
        assert service.stored["r99"]["text"] == "row 99"
        assert [counts(outcome) for outcome in load(service, a, b)] == [(0, 100, 0), (0, 100, 0)]
        assert set(service.sent.values()) == {1}


def test_ids_of_another_load_are_not_taken_unless_they_are_to_be(tmp_path: Path) -> None:
    service = Service()
    service.stored["r100"] = {"id": "r100", "text": "by the API", "metadata": {}}
    load(service, write(tmp_path / "a.jsonl", *ROWS))
    b = write(tmp_path / "b.jsonl", *OTHERS)
    (outcome,) = load(service, b)
    assert outcome.taken == [("r99", "a.jsonl")]
    assert (outcome.written, service.stored["r100"]["text"]) == (100, "another row 100")
    (outcome,) = load(service, b, replace=True)
    assert (outcome.written, service.stored["r99"]["metadata"]["loaded_from"]) == (1, "b.jsonl")


def test_a_few_new_ids_are_asked_for_one_by_one_and_many_are_not(tmp_path: Path) -> None:
    service = Service()
    load(service, write(tmp_path / "a.jsonl", *ROWS))
    asked = {path: times for path, times in service.asked.items() if path.startswith("/documents/r")}
    assert sum(asked.values()) == 32
    service.asked.clear()
    load(service, write(tmp_path / "a.jsonl", *ROWS, *OTHERS[1:3]))
    # One page for what is stored of this load, and nothing of others.
    assert service.asked["/documents/matching"] == 1
    assert service.asked["/documents/r100"] == 1


def test_for_many_new_ids_the_passages_of_others_are_read_and_its_own_are_not_again(tmp_path: Path) -> None:
    service = Service()
    load(service, write(tmp_path / "b.jsonl", {"id": "n5", "text": "another"}))
    rows = [{"id": f"r{number}", "text": f"row {number}"} for number in range(250)]
    load(service, write(tmp_path / "a.jsonl", *rows))
    new = [{"id": f"n{number}", "text": f"new row {number}"} for number in range(40)]
    service.asked.clear()
    (outcome,) = load(service, write(tmp_path / "a.jsonl", *reversed(new), *rows))
    assert (outcome.written, outcome.taken) == (39, [("n5", "b.jsonl")])
    # Three pages of its own, and one of others.
    assert service.asked["/documents/matching"] == 4


def test_ids_that_no_address_has_stop_no_load(tmp_path: Path) -> None:
    service = Service()
    path = write(
        tmp_path / "a.jsonl", {"id": ".", "text": "one"}, {"id": "..", "text": "two"}, {"id": "a/../b", "text": "c"}
    )
    (outcome,) = load(service, path)
    assert counts(outcome) == (3, 0, 0)
    assert sorted(service.stored) == [".", "..", "a/../b"]
    assert counts(load(service, path)[0]) == (0, 3, 0)
    assert {route for route in service.asked if route.startswith("/documents/")} == {
        "/documents/a/../b",
        "/documents/matching",
    }


def test_an_id_that_has_moved_to_another_file_is_written(tmp_path: Path) -> None:
    service = Service()
    a, b = write(tmp_path / "a.jsonl", *ROWS), write(tmp_path / "b.jsonl", *OTHERS[1:])
    load(service, a, b)
    write(a, *ROWS[:-1])
    write(b, *OTHERS)
    first, second = load(service, a, b)
    assert (counts(first), counts(second)) == ((0, 99, 1), (1, 100, 0))
    assert not second.taken


def test_an_id_stays_with_the_file_that_is_stored_with_it_while_that_has_it(tmp_path: Path) -> None:
    service, docs = Service(), tmp_path / "docs"
    x = {"id": "x", "text": "the first x"}
    b = write(docs / "b.jsonl", x, *ROWS[:5])
    load(service, docs)
    write(docs / "a.jsonl", {"id": "x", "text": "another x"}, *ROWS[5:9])
    (outcome,) = load(service, docs)
    assert (counts(outcome), outcome.repeated) == ((4, 6, 0), ["x"])
    (outcome,) = load(service, docs)
    assert (counts(outcome), outcome.repeated) == ((0, 10, 0), ["x"])
    write(b, *ROWS[:5])
    assert counts(load(service, docs)[0]) == (1, 9, 0)
    write(b, x, *ROWS[:5])
    assert counts(load(service, docs)[0]) == (0, 10, 0)
    assert service.stored["x"]["text"] == "another x"


@pytest.mark.parametrize("is_folder", [False, True])
def test_an_id_stays_with_a_file_that_cannot_be_read_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_folder: bool
) -> None:
    service, docs = Service(), tmp_path / "docs"
    b = write(docs / "b" / "b.jsonl", {"id": "x", "text": "the first x"}, *ROWS[:5])
    load(service, docs)
    write(docs / "a.jsonl", {"id": "x", "text": "another x"}, *ROWS[5:9])
    whole = b.read_text()
    with monkeypatch.context() as patched:
        if is_folder:
            patched.setattr(os, "scandir", refuse(b.parent, os.scandir))
        else:
            b.write_text(whole[:-9])
        (outcome,) = load(service, docs)
    assert (counts(outcome), outcome.repeated, len(outcome.unreadable)) == ((4, 0, 0), ["x"], 1)
    assert service.stored["x"]["text"] == "the first x"
    b.write_text(whole)
    (outcome,) = load(service, docs)
    assert (counts(outcome), outcome.repeated) == ((0, 10, 0), ["x"])


EXPORT = [
    {
        "id": "guide#home",
        "collection": "default",
        "text": "Home",
        "metadata": {"source": "guide", "heading": "Home", "loaded_from": "docs", "loaded_file": "x", "empty": ""},
        "cursor": 1,
    },
    {"id": "by-hand", "collection": "default", "text": "Two", "metadata": {"collection": "mine"}, "cursor": 2},
]


def test_an_export_of_passages_loses_no_text_where_the_model_reads_less(tmp_path: Path) -> None:
    texts = [" ".join(f"{name}{number}" for number in range(150)) for name in "abc"]
    rows = [{"id": identity, "text": text} for identity, text in zip(["g#a", "g#a:2", "g#a:3"], texts, strict=True)]
    service = Service()
    (outcome,) = load(service, write(tmp_path / "export.ndjson", *rows))
    assert not outcome.repeated
    assert sorted(" ".join(row["text"] for row in service.stored.values()).split()) == sorted(" ".join(texts).split())
    assert {"g#a", "g#a:4", "g#a:2", "g#a:2:2", "g#a:3"} < set(service.stored)
    assert all(service.stored[row["id"]]["text"] in row["text"] for row in rows)


def test_rows_keep_their_metadata_and_are_known_again_by_their_file(tmp_path: Path) -> None:
    service = Service()
    export = write(tmp_path / "export" / "all.ndjson", *EXPORT)
    load(service, export.parent)
    assert service.stored["guide#home"]["metadata"] == {
        "source": "guide",
        "heading": "Home",
        "empty": "",
        "loaded_from": "export",
        "loaded_file": "export/all.ndjson",
    }
    assert service.stored["by-hand"]["metadata"] == {
        "collection": "mine",
        "source": "export/all.ndjson",
        "loaded_from": "export",
    }
    assert counts(load(service, export.parent)[0]) == (0, 2, 0)
    whole = export.read_text()
    export.write_text("{")
    (outcome,) = load(service, export.parent)
    assert (counts(outcome), len(service.stored)) == ((0, 0, 0), 2)
    export.write_text(whole.splitlines()[0])
    assert counts(load(service, export.parent)[0]) == (0, 1, 1)
