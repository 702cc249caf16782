"""`instar load`: own documents in one step, the second time only what has changed, and never what somebody else has."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from instar.command_line import main
from tests.support.server import Server


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("load"), MODEL="one")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server as running:
        yield running


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "guide").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "notes.md").write_text("# Hidden\n\nNobody reads this.\n")
    (folder / "index.md").write_text("# Shop\n\nWe open at nine.\n\n## Closing\n\nWe close at five.\n")
    (folder / "guide" / "stock.rst").write_text("Stock\n=====\n\nCount it on Fridays, as :ref:`said <there>`.\n")
    (folder / "page.html").write_text("<nav>Home</nav><main><h1>Parcels</h1><p>They go out at noon.</p></main>")
    (folder / "rows.csv").write_text("id,text,year\nfaq-1,Refunds take a week.,2026\n")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    return folder


@pytest.fixture
def collection(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)[:100]


def load(service: Server, collection: str, *arguments: object) -> int:
    url = str(service.client.base_url)
    return main(["load", *map(str, arguments), "--collection", collection, "--url", url])


def stored(service: Server, collection: str) -> dict[str, dict[str, Any]]:
    page = service.get("/documents", params={"collection": collection, "limit": 1000})
    return {document["id"]: document for document in page["documents"]}


def test_a_folder_is_cut_at_its_headings_and_can_be_searched(
    service: Server, docs: Path, collection: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(service, collection, docs) == 0
    assert f"5 passages of 4 files in {collection}: 5 written, 0 unchanged, 0 removed" in capsys.readouterr().out
    documents = stored(service, collection)
    assert sorted(documents) == [
        "docs/guide/stock.rst#stock",
        "docs/index.md#shop",
        "docs/index.md#shop/closing",
        "docs/page.html#parcels",
        "faq-1",
    ]
    closing = documents["docs/index.md#shop/closing"]
    assert closing["text"] == "Shop > Closing\n\nWe close at five."
    assert closing["metadata"] == {"source": "docs/index.md", "heading": "Shop > Closing", "loaded_from": "docs"}
    assert documents["docs/guide/stock.rst#stock"]["text"] == "Stock\n\nCount it on Fridays, as said."
    asked = ["search", "when do we close", "--mode", "keyword", "--k", "1", "--collection", collection]
    assert main([*asked, "--url", str(service.client.base_url)]) == 0
    assert "docs/index.md#shop/closing" in capsys.readouterr().out


def test_a_second_run_sends_what_has_changed_and_removes_what_is_gone(
    service: Server, docs: Path, collection: str, capsys: pytest.CaptureFixture[str]
) -> None:
    load(service, collection, docs)
    service.put_documents({"by-hand": "somebody else's"}, collection=collection)
    capsys.readouterr()
    before = service.get("/info")["windows"]
    assert load(service, collection, docs) == 0
    assert "0 written, 5 unchanged, 0 removed" in capsys.readouterr().out
    assert service.get("/info")["windows"] == before

    (docs / "index.md").write_text("# Shop\n\nWe open at ten.\n")
    (docs / "page.html").unlink()
    assert load(service, collection, docs) == 0
    assert "1 written, 2 unchanged, 2 removed" in capsys.readouterr().out
    documents = stored(service, collection)
    assert documents["docs/index.md#shop"]["text"] == "Shop\n\nWe open at ten."
    assert sorted(documents) == ["by-hand", "docs/guide/stock.rst#stock", "docs/index.md#shop", "faq-1"]


def test_a_file_that_cannot_be_read_is_told_and_keeps_what_it_had(
    service: Server, docs: Path, collection: str, capsys: pytest.CaptureFixture[str]
) -> None:
    load(service, collection, docs)
    (docs / "index.md").write_bytes(b"\xff\xfe broken")
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4\n\x00\x01 broken")
    (docs / "broken.docx").write_bytes(b"PK\x03\x04 broken")
    (docs / "rows.csv").write_text("number\n7\n")
    assert load(service, collection, docs) == 1
    told = capsys.readouterr()
    assert "index.md: it is not in UTF-8 (byte 0): convert it" in told.err
    assert "broken.pdf: it cannot be converted" in told.err
    assert "broken.docx: it cannot be converted" in told.err
    assert "rows.csv: row 2 has no text in 'number'" in told.err
    assert "0 written, 2 unchanged, 0 removed" in told.out
    assert len(stored(service, collection)) == 5


def test_a_passage_that_the_service_refuses_is_told_and_stops_no_other(
    service: Server, docs: Path, collection: str, capsys: pytest.CaptureFixture[str]
) -> None:
    load(service, collection, docs)
    (docs / "index.md").write_text("# Shop\n\nWe open at\0nine.\n\n## Closing\n\nWe close at six.\n")
    assert load(service, collection, docs) == 1
    told = capsys.readouterr()
    assert "not written: docs/index.md#shop: text contains the character U+0000: remove it" in told.err
    assert "1 written, 3 unchanged, 0 removed" in told.out
    documents = stored(service, collection)
    assert documents["docs/index.md#shop"]["text"] == "Shop\n\nWe open at nine."
    assert documents["docs/index.md#shop/closing"]["text"] == "Shop > Closing\n\nWe close at six."


def test_a_dry_run_sends_nothing_and_shows_a_passage(
    service: Server, docs: Path, collection: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(service, collection, docs, "--dry-run") == 0
    told = capsys.readouterr().out
    assert "5 would be written" in told
    assert "tokens: " in told
    assert "docs/guide/stock.rst#stock" in told
    assert service.client.get("/documents", params={"collection": collection}).json().get("documents", []) == []


def test_another_folder_of_the_same_name_takes_nothing_away(
    service: Server, docs: Path, collection: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(service, collection, docs)
    other = tmp_path / "elsewhere" / "docs"
    other.mkdir(parents=True)
    (other / "other.md").write_text("# Other\n\nText.\n")
    assert load(service, collection, other) == 1
    assert "another 'docs'" in capsys.readouterr().err
    assert load(service, collection, other, "--name", "elsewhere") == 0
    assert len(stored(service, collection)) == 6


def test_another_folder_that_shares_a_file_takes_nothing_away(
    service: Server, docs: Path, collection: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(service, collection, docs)
    before = stored(service, collection)
    other = tmp_path / "elsewhere" / "docs"
    other.mkdir(parents=True)
    (other / "index.md").write_text("# Bakery\n\nWe open at six.\n")
    capsys.readouterr()
    assert load(service, collection, docs, other) == 2
    assert load(service, collection, other) == 1
    assert "another 'docs'" in capsys.readouterr().err
    assert stored(service, collection) == before
    assert load(service, collection, other, "--replace") == 0
    assert list(stored(service, collection)) == ["docs/index.md#bakery"]


def test_two_tables_that_share_ids_do_not_write_over_each_other(
    service: Server, collection: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = [tmp_path / name for name in ("a.csv", "b.csv")]
    for table in tables:
        table.write_text("id,text\n" + "".join(f"{number},{table.name} {number}\n" for number in range(50)))
    assert load(service, collection, *tables) == 1
    assert "50 passages are not written" in capsys.readouterr().err
    assert {document["text"] for document in stored(service, collection).values()} == {
        f"a.csv {number}" for number in range(50)
    }
    assert load(service, collection, *tables) == 1
    assert " written, 0 unchanged" not in capsys.readouterr().out.replace("0 written, 0 unchanged", "")


def test_what_a_service_exports_keeps_its_metadata_where_it_is_loaded(
    service: Server, docs: Path, collection: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(service, collection, docs)
    documents = [
        {"id": "by-hand", "text": "A till.", "metadata": {"source": "till.md", "tags": ["a"], "note": "", "cursor": 1}},
        {"id": "bare", "text": "A drawer."},
    ]
    service.post("/documents", {"documents": documents, "collection": collection})
    exported = service.client.get("/admin/export", params={"what": "documents", "collection": collection}).text
    (tmp_path / "export.ndjson").write_text(exported)
    assert load(service, f"{collection}-2", tmp_path / "export.ndjson") == 0
    before, after = stored(service, collection), stored(service, f"{collection}-2")
    assert len(after) == len(before) == 7
    added = {"loaded_from": "export.ndjson", "loaded_file": "export.ndjson"}
    for identity, document in before.items():
        expected = {**document["metadata"], **added}
        if identity == "bare":
            expected = {"source": "export.ndjson", "loaded_from": "export.ndjson"}
        assert after[identity] == {**document, "metadata": expected}
    # The folder itself goes on there, if it is told to.
    capsys.readouterr()
    assert load(service, f"{collection}-2", docs) == 1
    assert "5 passages are not written" in capsys.readouterr().err
    assert load(service, f"{collection}-2", docs, "--replace") == 0
    assert (
        stored(service, f"{collection}-2").items()
        >= {
            identity: document for identity, document in before.items() if "loaded_from" in document["metadata"]
        }.items()
    )


def test_a_file_whose_text_is_gone_keeps_what_it_had(
    service: Server, docs: Path, collection: str, capsys: pytest.CaptureFixture[str]
) -> None:
    load(service, collection, docs)
    (docs / "page.html").write_text("<nav>Home</nav>")
    assert load(service, collection, docs) == 1
    told = capsys.readouterr()
    assert "page.html: no text in it" in told.err
    assert "docs/page.html#parcels" in stored(service, collection)


def test_long_texts_are_cut_to_what_the_model_reads(service: Server, collection: str, tmp_path: Path) -> None:
    (tmp_path / "long.md").write_text("# Long\n\n" + "The storm came over the hills at night. " * 200)
    assert load(service, collection, tmp_path / "long.md") == 0
    written = service.get("/info")
    documents = stored(service, collection)
    assert len(documents) > 3
    for document in documents.values():
        inspected = service.post(
            "/documents/inspect", {"id": document["id"], "collection": collection, "neighbours": 0}
        )
        assert len(inspected["windows"]) == 1, (inspected, written["max_length"])


def test_a_watched_folder_is_loaded_again_when_it_changes(
    service: Server, docs: Path, collection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = itertools.count()

    def pause(_: float) -> None:
        match next(pauses):
            case 0:
                assert len(stored(service, collection)) == 5
                (docs / "new.txt").write_text("Something new.")
            case 1:
                assert "docs/new.txt#new" in stored(service, collection)
                raise KeyboardInterrupt

    monkeypatch.setattr("instar.loading.watching.sleep", pause)
    assert load(service, collection, docs, "--watch") == 0
    assert next(pauses) == 2


def test_what_is_not_there_and_what_is_meant_otherwise_is_told(
    service: Server, docs: Path, collection: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load(service, collection, docs / "nothing") == 2
    assert "name a folder or a file" in capsys.readouterr().err
    assert load(service, collection, docs, docs / "index.md", "--name", "x") == 2
    assert load(service, collection, docs / "picture.png") == 1
    assert ".png is not read" in capsys.readouterr().err
    assert main(["load", str(docs), "--url", "http://127.0.0.1:9"]) == 1
    assert "did not answer" in capsys.readouterr().err


def test_rows_that_share_an_id_are_told(
    service: Server, collection: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": "a", "text": "one"}, {"id": "a", "text": "two"}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert load(service, collection, tmp_path / "rows.jsonl") == 1
    assert "1 ids come twice, and the first counts, as a" in capsys.readouterr().err
    assert stored(service, collection)["a"]["text"] == "one"


def test_rows_without_text_are_counted(
    service: Server, collection: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "faq.csv").write_text("id,text\nfaq-1,Refunds take a week.\nfaq-2,\n,\n")
    assert load(service, collection, tmp_path / "faq.csv") == 0
    assert "1 written, 0 unchanged, 0 removed, 1 rows without text" in capsys.readouterr().out


def test_a_key_that_searches_and_writes_is_enough(
    docs: Path, tmp_path: Path, tiny_checkpoints: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = Server(tmp_path / "keyed", MODEL="one", ADMIN_KEY="admin")
    server.checkpoints.mkdir(parents=True)
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    making = ["key", "create", "loader", "--scope", "search", "--scope", "write", "--data-dir", str(server.data)]
    server.data.mkdir()
    assert main(making) == 0
    key = capsys.readouterr().out.strip()
    with server:
        asked = ["load", str(docs), "--url", str(server.client.base_url), "--key"]
        assert main([*asked, key]) == 0
        (docs / "page.html").unlink()
        assert main([*asked, key]) == 0
        assert "0 written, 4 unchanged, 1 removed" in capsys.readouterr().out
        assert main([*asked, "another"]) == 1
        assert "answered 401" in capsys.readouterr().err
