"""Documents go out of a service as the corpus of BEIR, and into the trainer and another collection again."""

import json
from pathlib import Path
from typing import Any

import pytest

from instar.command_line import main
from tests.support.judging import add, judgement
from tests.support.server import Server
from trainer.data import beir, formats
from trainer.data.dataset import Document

TITLED = {
    "c1": ("We open at nine.", {"title": " Hours ", "year": 2026}),
    "c2": ("Docker > Install\n\nPull the image.", {"heading": "Docker > Install", "source": "docker.md"}),
    "c3": ("Refunds take a week.", {"title": 7, "heading": "Refunds"}),
    "c4": ("請問如何退款", {}),
}
WRITTEN: list[dict[str, Any]] = [
    {"_id": "c1", "title": "Hours", "text": TITLED["c1"][0], "metadata": TITLED["c1"][1]},
    # The text begins with its heading, which would stand there twice.
    {"_id": "c2", "title": "", "text": TITLED["c2"][0], "metadata": TITLED["c2"][1]},
    {"_id": "c3", "title": "Refunds", "text": TITLED["c3"][0], "metadata": TITLED["c3"][1]},
    {"_id": "c4", "title": "", "text": TITLED["c4"][0], "metadata": {}},
]


def write(server: Server) -> None:
    documents = [{"id": name, "text": text, "metadata": metadata} for name, (text, metadata) in TITLED.items()]
    server.post("/documents", {"documents": documents, "collection": "handbook"})


def export(server: Server, **params: str) -> str:
    reply = server.client.get("/admin/export", params={"what": "documents", "format": "beir"} | params)
    assert (reply.status_code, reply.headers["Content-Type"]) == (200, "application/x-ndjson"), reply.text
    assert reply.headers["X-Instar-Total"] == str(len(reply.text.splitlines()))
    return reply.text


def test_documents_are_written_as_beir_has_them_and_read_by_all_that_reads_that(
    tiny_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = tiny_server
    write(server)
    text = export(server)
    assert [json.loads(line) for line in text.splitlines()] == WRITTEN
    assert export(server, collection="handbook") == text
    # The trainer reads it as a corpus of its own, as the corpus of an export, and in a folder of BEIR.
    folder = tmp_path / "judged"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(text, encoding="utf-8")
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "when"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\tc1\t1\n")
    corpus = beir.read_corpus(folder / "corpus.jsonl")
    assert corpus == {row["_id"]: Document(row["text"], row["title"]) for row in WRITTEN}
    assert formats.load(folder, "beir", skip_bad=False).dataset.corpus == corpus
    add(server, [judgement("when", "c1", collection="handbook", source="person", side="train")])
    saved = tmp_path / "judgements.jsonl"
    saved.write_text(server.client.get("/admin/export", params={"what": "judgements"}).text)
    of_service = formats.load(saved, "instar", skip_bad=False, corpus=folder / "corpus.jsonl").dataset
    assert of_service.corpus == corpus
    assert list(of_service.good().values()) == [{"c1"}]
    # `instar load` takes it into another collection, where no text has its title twice.
    url = str(server.client.base_url)
    assert main(["load", str(folder / "corpus.jsonl"), "--collection", "copy", "--url", url]) == 0
    capsys.readouterr()
    copied = server.get("/documents", params={"collection": "copy"})["documents"]
    assert {each["id"]: each["text"] for each in copied} == {
        row["_id"]: f"{row['title']}\n\n{row['text']}".strip() for row in WRITTEN
    }
    # So does the form that the service has by itself, in the same file.
    everything = server.client.get("/admin/export", params={"what": "documents", "collection": "handbook"}).text
    (folder / "corpus.jsonl").write_text(everything, encoding="utf-8")
    assert beir.read_corpus(folder).keys() == corpus.keys()


def test_one_collection_is_chosen_where_there_are_several_and_judgements_have_another_way(tiny_server: Server) -> None:
    server = tiny_server
    assert export(server) == ""
    write(server)
    server.put_documents({"n1": "a note"}, collection="notes")
    refused = {
        "collection": {"what": "documents", "format": "beir"},
        "format": {"what": "judgements", "format": "beir", "collection": "notes"},
    }
    said = {}
    for param, asked in refused.items():
        reply = server.client.get("/admin/export", params=asked)
        assert (reply.status_code, reply.json()["error"]["param"]) == (422, param)
        said[param] = reply.json()["error"]["message"]
    assert "there are 2: choose one with collection=NAME, of handbook, notes" in said["collection"]
    assert "instar train import URL --format instar --out FOLDER" in said["format"]
    assert json.loads(export(server, collection="notes"))["_id"] == "n1"
    assert server.client.get("/admin/export", params={"what": "documents", "format": "csv"}).status_code == 422
