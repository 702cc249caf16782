"""The console's corpus and first visit, asked as a browser asks: pages, forms and portions of a file."""

import html
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.server import Server

CORPUS = "/console/corpus"
NASTY = "<script>alert(1)</script>\"'&"


def page(server: Server, path: str, **parameters: str) -> str:
    """The HTML of a page that is there."""
    answer = server.client.get(path, params=parameters or None)
    assert answer.status_code == 200, answer.text
    return answer.text


def sends(server: Server, path: str, **fields: str) -> httpx.Response:
    """The answer to a form with the token of a page."""
    token = re.search(r'name="form_token" value="(\w+)"', page(server, f"{CORPUS}/edit"))
    assert token is not None
    return server.client.post(path, data={"form_token": token[1], **fields})


@pytest.fixture
def notes(tiny_server: Server) -> Server:
    documents = [{"id": f"n{number}", "text": f"note {number}", "metadata": {"n": number}} for number in range(60)]
    tiny_server.post("/documents", {"collection": "notes", "documents": documents})
    return tiny_server


def test_all_documents_are_there_page_by_page(notes: Server) -> None:
    seen: list[str] = []
    address: str | None = f"{CORPUS}?collection=notes"
    while address and len(seen) < 100:
        content = page(notes, address)
        seen += re.findall(r"<strong>(n\d+)</strong>", content)
        following = re.search(r'data-key="n" href="([^"]+)"', content)
        address = html.unescape(following[1]) if following else None
    assert seen == [f"n{number}" for number in range(60)]


def test_the_list_says_how_many_are_cut_and_when_a_collection_was_last_written_to(notes: Server) -> None:
    (row,) = re.findall(r"<tr><td><a href=\"[^\"]*collection=notes\".*?</tr>", page(notes, CORPUS), re.DOTALL)
    cells = [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]
    assert cells[:3] == ["notes", "60", "0"]
    (collection,) = notes.get("/collections")["collections"]
    assert cells[3] == f"{datetime.fromisoformat(collection['written']):%d %b %Y %H:%M} UTC"


def test_a_search_and_a_filter_narrow_what_is_shown(notes: Server) -> None:
    assert "<strong>n7</strong>" in page(notes, CORPUS, collection="notes", q="note 7")
    content = page(notes, CORPUS, collection="notes", filter='{"n": {"lt": 3}}')
    assert re.findall(r"<strong>(n\d+)</strong>", content) == ["n0", "n1", "n2"]
    assert "3 documents pass the filter" in content
    for wrong in ("{", "{}", '{"n": []}'):
        assert "These documents cannot be shown" in page(notes, CORPUS, collection="notes", filter=wrong)


def test_what_is_deleted_by_a_filter_is_what_was_counted(notes: Server) -> None:
    fields = {"collection": "notes", "filter": '{"n": {"gte": 50}}'}
    refused = sends(notes, f"{CORPUS}/delete-matching", **fields, count="9")
    assert refused.status_code == 409
    assert "10 documents pass the filter now" in refused.text
    assert notes.get("/info")["collections"] == {"notes": 60}
    done = sends(notes, f"{CORPUS}/delete-matching", **fields, count="10")
    assert done.status_code == 303
    assert "10 deleted" in page(notes, done.headers["Location"])
    assert notes.get("/info")["collections"] == {"notes": 50}


def test_a_document_is_written_shown_changed_and_deleted(tiny_server: Server) -> None:
    fields = {"collection": "odd ones", "id": NASTY, "text": f"{NASTY}\r\nsecond line", "metadata": '{"k": "<b>"}'}
    written = sends(tiny_server, f"{CORPUS}/edit", **fields, is_new="yes")
    assert written.status_code == 303
    (document,) = tiny_server.get("/documents", params={"collection": "odd ones"})["documents"]
    assert document == {"id": NASTY, "text": f"{NASTY}\nsecond line", "metadata": {"k": "<b>"}}
    for content in (
        page(tiny_server, written.headers["Location"]),
        page(tiny_server, CORPUS, collection="odd ones"),
        page(tiny_server, f"{CORPUS}/edit", collection="odd ones", id=NASTY),
    ):
        assert "<script>alert" not in content
        assert "<b>" not in content
        assert "&lt;script&gt;alert(1)" in content
    assert sends(tiny_server, f"{CORPUS}/delete", collection="odd ones", id=NASTY).status_code == 303
    assert not tiny_server.get("/collections")["collections"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"text": " "}, "text"), ({"metadata": "{"}, "no JSON"), ({"metadata": "[1]"}, "an object")],
)
def test_a_form_that_cannot_be_written_keeps_what_was_typed(
    untouched: Server, wrong: dict[str, str], message: str
) -> None:
    fields = {"collection": "notes", "id": "kept-id", "text": "kept text", "metadata": "{}", "is_new": "yes"}
    refused = sends(untouched, f"{CORPUS}/edit", **{**fields, **wrong})
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    assert message in refused.text
    assert "kept-id" in refused.text


def test_a_document_says_what_is_known_of_it(notes: Server) -> None:
    notes.post(
        "/admin/judgements", {"judgements": [{"query": "q1", "document": "n1", "good": True, "collection": "notes"}]}
    )
    notes.search("note 1", collection="notes", k=60)
    assert "Once by the searches that are kept:" in page(notes, f"{CORPUS}/document", collection="notes", id="n1")
    for _ in range(11):
        notes.search("note 1", collection="notes", k=60)
    for limit in (2, 20):
        about = {"document": "n1", "collection": "notes", "limit": limit}
        assert notes.get("/admin/searches", params=about)["count"] == 12
    assert notes.get("/admin/searches")["count"] is None
    content = page(notes, f"{CORPUS}/document", collection="notes", id="n1")
    assert "12 times by the searches that are kept; the last 10 of these:" in content
    assert "All of it can be found" in content
    assert len(re.findall(r'title="Cosine"', content)) == 8
    assert ">q1</a>" in content
    assert ">note 1</a>" in content
    assert notes.client.get(f"{CORPUS}/document", params={"collection": "notes", "id": "absent"}).status_code == 404
    # Nothing in an address becomes a message or a failure.
    for count in ("9" * 5000, "-1", "٣x", NASTY):
        assert "0 deleted" in page(notes, CORPUS, done="deleted", count=count)
    assert NASTY not in page(notes, CORPUS, done=NASTY, collection=NASTY)


def test_what_the_model_does_not_read_is_struck_through(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", LONG="truncate")
    server.checkpoints.symlink_to(tiny_checkpoints)
    with server:
        server.put_documents({"long": "word " * 2000})
        content = page(server, f"{CORPUS}/document", id="long")
        assert re.search(r"<del>[word ]+</del>", content)
        assert "was cut" in content
        assert "A search by vector finds a part alone" in page(server, CORPUS)


def test_a_collection_is_deleted_by_its_name(notes: Server) -> None:
    refused = sends(notes, f"{CORPUS}/delete-collection", collection="notes", name="nots")
    assert refused.status_code == 422
    assert notes.get("/info")["documents"] == 60
    done = sends(notes, f"{CORPUS}/delete-collection", collection="notes", name="notes")
    assert "deleted with its 60 documents" in page(notes, done.headers["Location"])
    assert notes.get("/info")["documents"] == 0


def portion(server: Server, **fields: str) -> tuple[int, Any]:
    answer = sends(server, f"{CORPUS}/load", collection="loaded", **fields)
    return answer.status_code, answer.json()


def test_a_portion_is_written_whole_or_its_line_is_named(tiny_server: Server) -> None:
    lines = '{"id": "a", "text": "one"}\n{"id": "b", "text": "two"}\n'
    assert portion(tiny_server, kind="jsonl", line="1", text=lines) == (200, {"written": 2, "unchanged": 0, "cut": 0})
    assert portion(tiny_server, kind="jsonl", line="1", text=lines)[1]["unchanged"] == 2
    rows = {"kind": "csv", "header": "id,text,n\n", "line": "2", "text": 'c,"three\nlines",3\nd, ,4\n'}
    status, refused = portion(tiny_server, **rows)
    assert (status, refused["line"]) == (422, 4)
    assert refused["message"].startswith("text")
    assert tiny_server.get("/info")["documents"] == 2
    for text in ("{", '{"id": "e"}', '{"text": "e", "txet": 1}', "[]"):
        status, refused = portion(tiny_server, kind="jsonl", line="40", text=f'{{"text": "fine"}}\n{text}\n')
        assert (status, refused["line"]) == (422, 41), refused
    assert portion(tiny_server, kind="jsonl", line="1", text="\n")[0] == 200
    assert tiny_server.get("/info")["documents"] == 2


def test_nothing_changes_without_the_token_of_a_page(notes: Server) -> None:
    calls = {
        "edit": {"id": "x", "text": "x"},
        "load": {"kind": "jsonl", "text": '{"text": "x"}'},
        "delete": {"id": "n1"},
        "delete-matching": {"filter": '{"n": 1}', "count": "1"},
        "delete-collection": {"name": "notes"},
    }
    for path, fields in calls.items():
        for token in ({}, {"form_token": "0" * 64}):
            answer = notes.client.post(f"{CORPUS}/{path}", data={"collection": "notes", **fields, **token})
            assert answer.status_code == 403, path
    assert notes.client.post("/console/start/sample", data={"collection": "sample"}).status_code == 403
    assert notes.get("/info")["collections"] == {"notes": 60}


def test_an_empty_service_begins_with_three_ways(tiny_server: Server) -> None:
    led = tiny_server.client.get("/console")
    assert (led.status_code, led.headers["Location"]) == (303, "/console/start")
    content = page(tiny_server, "/console/start")
    for heading in ("Try the sample", "Bring my documents", "Connect my app", "Until the first tuned model"):
        assert heading in content
    address = str(tiny_server.client.base_url).rstrip("/")
    assert f"<pre>instar load FOLDER --collection default --url {address}</pre>" in content
    command = f"instar load FOLDER --collection &#39;two words&#39; --url {address}"
    assert f"<pre>{command}</pre>" in page(tiny_server, f"{CORPUS}/load", collection="two words")
    for client in ("langchain", "openai", "docsgpt", "curl", "nonsense"):
        assert address in page(tiny_server, "/console/start", connect=client)
    added = sends(tiny_server, "/console/start/sample")
    assert (added.status_code, added.headers["Location"]) == (303, "/console/start")
    assert tiny_server.get("/info")["documents"] > 300
    assert tiny_server.client.get("/console").status_code == 200
    assert "has" in sends(tiny_server, "/console/start/sample").text


@pytest.fixture
def keyed(tmp_path: Path, tiny_checkpoints: Path) -> Iterator[Server]:
    server = Server(tmp_path, MODEL="one", API_KEY="data-key", ADMIN_KEY="admin-key")
    server.checkpoints.symlink_to(tiny_checkpoints)
    with server:
        server.post(
            "/documents", {"documents": [{"id": "a", "text": "one"}]}, headers={"Authorization": "Bearer data-key"}
        )
        yield server


def test_a_key_sees_and_does_what_it_may(keyed: Server) -> None:
    assert keyed.client.get(CORPUS).status_code == 303
    keyed.client.post("/console/sign-in", data={"key": "data-key", "to": CORPUS})
    content = page(keyed, f"{CORPUS}/document", id="a")
    assert "Nearest documents" in content
    assert "Judgements</h2>" not in content
    assert "needs a key with the scope admin" in page(keyed, "/console/start")
    assert sends(keyed, "/console/start/sample", collection="sample").status_code == 403
    assert sends(keyed, f"{CORPUS}/delete", id="a").status_code == 303
