"""Judgements of a service: what is read from a folder, and what of that the canonical form keeps."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trainer.commands.data import Mine
from trainer.data import beir, formats, inspection
from trainer.data.dataset import Dataset, Document, Judgement
from trainer.data.formats import Imported
from trainer.errors import BadData

DOCUMENTS = [
    {"id": f"d{n}", "collection": "default", "text": f"text {n}", "metadata": {}, "cursor": n} for n in range(4)
]


def line(document: str = "d0", **more: Any) -> dict[str, Any]:
    judgement = {"query": "how", "document": document, "good": True, "collection": "default", "source": "feedback"}
    return judgement | {"weight": 0.5, "side": "train", "by": None, "stale": False} | more


def load(folder: Path, *judgements: dict[str, Any], documents: Any = DOCUMENTS, skip_bad: bool = False) -> Imported:
    for name, rows in (("documents", documents), ("judgements", judgements)):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return formats.load(folder, "instar", skip_bad=skip_bad)


def test_weights_and_sources_are_in_the_data_and_outlive_the_canonical_form(tmp_path: Path) -> None:
    dataset = load(
        tmp_path, line(), line("d1", good=False, source="person", weight=1.0), line("d2", source="click")
    ).dataset
    assert {(one.document, one.good, one.weight, one.source) for one in dataset.judgements} == {
        ("d0", True, 0.5, "feedback"),
        ("d1", False, 1.0, "person"),
        ("d2", True, 0.5, "click"),
    }
    (query,) = dataset.queries
    assert dataset.weights() == {(query, "d0"): 0.5, (query, "d2"): 0.5}
    beir.write(dataset, tmp_path / "canonical")
    assert set(beir.read(tmp_path / "canonical").judgements) == set(dataset.judgements)
    assert beir.read(tmp_path / "canonical").digest == dataset.digest


def test_a_copy_of_a_good_document_has_its_weight(tmp_path: Path) -> None:
    documents = [*DOCUMENTS, DOCUMENTS[0] | {"id": "copy"}]
    dataset = inspection.cleaned(load(tmp_path, line(), documents=documents).dataset)
    assert {(one.document, one.weight) for one in dataset.judgements} == {("d0", 0.5), ("copy", 0.5)}


def test_data_without_weights_has_the_digest_that_it_always_had() -> None:
    plain = Dataset({"q": "how"}, {"d": Document("so")}, (Judgement("q", "d", good=True),), {"q": "train"})
    assert plain.digest == "f7384ad67c277be6bcf7e6222f3602483e936c6657d153ed6be03163a89e3d31"
    assert replace(plain, judgements=(Judgement("q", "d", good=True, weight=0.5),)).digest != plain.digest


def test_a_document_that_was_written_again_meanwhile_counts_as_it_was_last(tmp_path: Path) -> None:
    documents = [*DOCUMENTS, DOCUMENTS[0] | {"text": "another text", "cursor": 9}]
    assert load(tmp_path, line(), documents=documents).dataset.corpus["d0"].text == "another text"


def test_a_judgement_of_a_document_that_is_not_there_is_noted_and_stops_nothing(tmp_path: Path) -> None:
    imported = load(tmp_path, line(), line("absent"))
    assert [problem.severity for problem in imported.problems] == ["note"]
    assert len(imported.dataset.judgements) == 1


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"side": "judge"}, "nothing but train"),
        ({"side": None}, "nothing but train"),
        ({"good": 1}, "neither true nor false"),
        ({"weight": 0}, "above 0"),
        ({"weight": True}, "above 0"),
        ({"weight": "1"}, "above 0"),
        ({"query": " "}, "the query is empty"),
        ({"source": None}, "the source is missing"),
        ({"document": 5}, "not text"),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path: Path, more: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadData, match=f"judgements.jsonl:2.*{reason}"):
        load(tmp_path, line(), line("d1") | more)
    assert len(load(tmp_path, line(), line("d1") | more, skip_bad=True).dataset.judgements) == 1


def test_a_url_needs_the_format_and_a_folder_its_files(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="--format instar alone reads"):
        formats.load("http://127.0.0.1:8080", "beir", skip_bad=False)
    (tmp_path / "documents.jsonl").write_text("")
    with pytest.raises(BadData, match=r"has no judgements\.jsonl"):
        formats.load(tmp_path, "instar", skip_bad=False)


def write(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


BEIR = [{"_id": f"d{n}", "title": "", "text": f"text {n}", "metadata": {}} for n in range(4)]


@pytest.mark.parametrize("documents", [DOCUMENTS, BEIR], ids=["ndjson", "beir"])
def test_an_export_that_somebody_saved_is_read_with_its_documents(
    tmp_path: Path, documents: list[dict[str, Any]]
) -> None:
    judgements = [line(), line("d1", good=False, source="person", weight=1.0), line("absent"), line("d2", stale=True)]
    saved = write(tmp_path / "saved.jsonl", judgements)
    corpus = write(tmp_path / "corpus.jsonl", documents)
    imported = formats.load(saved, "instar", skip_bad=False, corpus=corpus)
    assert imported.dataset.corpus == {f"d{n}": Document(f"text {n}") for n in range(4)}
    assert {(one.document, one.good, one.weight, one.source) for one in imported.dataset.judgements} == {
        ("d0", True, 0.5, "feedback"),
        ("d1", False, 1.0, "person"),
    }
    assert [str(problem) for problem in imported.problems] == [
        "saved.jsonl:3: the document 'absent' was not there when it was fetched",
        "saved.jsonl:4: the document 'd2' has had another text since it was judged",
    ]


def test_documents_of_several_collections_have_the_names_of_these(tmp_path: Path) -> None:
    saved = write(tmp_path / "saved.jsonl", [line(), line(collection="notes")])
    corpus = write(tmp_path / "corpus.jsonl", [*DOCUMENTS, DOCUMENTS[0] | {"collection": "notes", "text": "a note"}])
    dataset = formats.load(saved, "instar", skip_bad=False, corpus=corpus).dataset
    assert {one.document for one in dataset.judgements} == {"default/d0", "notes/d0"}
    assert dataset.corpus["notes/d0"].text == "a note"
    with pytest.raises(BadData, match=r"judged in default, notes: export the judgements of one by collection=NAME"):
        formats.load(saved, "instar", skip_bad=False, corpus=write(tmp_path / "beir.jsonl", BEIR))


def test_a_saved_export_without_its_documents_is_told_where_they_are(tmp_path: Path) -> None:
    saved = write(tmp_path / "saved.jsonl", [line()])
    for name in ("instar", "beir", ""):
        with pytest.raises(BadData, match=r"--format instar --corpus documents\.jsonl"):
            formats.load(saved, name, skip_bad=False)
    with pytest.raises(BadData, match=r"add --corpus documents\.jsonl, which GET /admin/export\?what=documents"):
        formats.load(saved, "instar", skip_bad=False)
    with pytest.raises(BadData, match="is no file: give the documents"):
        formats.load(saved, "instar", skip_bad=False, corpus=tmp_path)
    with pytest.raises(BadData, match="leave --corpus out"):
        formats.load(tmp_path, "instar", skip_bad=False, corpus=saved)
    with pytest.raises(BadData, match=r"leave it out, since http://127\.0\.0\.1:9 has its documents"):
        Mine(format="instar", corpus=saved, data="", out=saved).load("http://127.0.0.1:9")
