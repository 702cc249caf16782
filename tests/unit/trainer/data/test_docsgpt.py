"""DocsGPT's thumbs become weak judgements or wait for a person, and its cut sources find their documents."""

import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from trainer.data import formats, review
from trainer.data.dataset import Judgement
from trainer.data.texts import content_id
from trainer.errors import BadData, ExtraMissing

DATA = Path(__file__).parents[3] / "support" / "data"
ROWS = [orjson.loads(line) for line in (DATA / "docsgpt.jsonl").read_bytes().splitlines()]
CORPUS = DATA / "docsgpt_corpus.jsonl"


def load(rows: list[dict[str, Any]], folder: Path, corpus: Path | None = CORPUS) -> formats.Imported:
    path = folder / "messages.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    return formats.load(path, "docsgpt", skip_bad=False, corpus=corpus)


def judged(imported: formats.Imported) -> set[tuple[str, str, bool, bool]]:
    dataset = imported.dataset
    return {(dataset.queries[one.query], one.document, one.good, one.weak) for one in dataset.judgements}


def test_likes_are_weak_and_good_and_dislikes_judge_nothing() -> None:
    imported = formats.load(DATA / "docsgpt.jsonl", "docsgpt", skip_bad=False, corpus=CORPUS)
    assert judged(imported) == {
        (ROWS[0]["prompt"], "long", True, True),
        (ROWS[0]["prompt"], "short", True, True),
        (ROWS[3]["prompt"], "other", True, True),
        ("how do I move a byre", "short", True, True),
    }
    assert imported.dataset.good() == imported.dataset.bad() == imported.dataset.bad("train") == {}
    assert imported.dataset.corpus.keys() == {"long", "short", "other", "twin1", "twin2"}


def test_what_was_disliked_can_be_judged_by_hand_and_imported(tmp_path: Path) -> None:
    imported = formats.load(DATA / "docsgpt.jsonl", "docsgpt", skip_bad=False, corpus=CORPUS)
    assert [(aside.query, len(aside.documents)) for aside in imported.review] == [(ROWS[1]["prompt"], 2)]
    path = tmp_path / "review.jsonl"
    review.write(imported.review, path)
    with pytest.raises(BadData, match=r"review.jsonl:1: the label is missing"):
        formats.load(path, "labelled-pairs", skip_bad=True)
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [row["response"] for row in rows] == [ROWS[1]["response"]] * 2
    path.write_bytes(b"\n".join(orjson.dumps(row | {"label": number}) for number, row in enumerate(rows)))
    dataset = formats.load(path, "labelled-pairs", skip_bad=False).dataset
    texts = [content_id(text) for text in imported.review[0].documents]
    query = content_id(ROWS[1]["prompt"])
    assert set(dataset.judgements) == {Judgement(query, texts[0], good=False), Judgement(query, texts[1], good=True)}


def test_sources_that_may_be_several_documents_or_none_are_reported_and_stop_nothing() -> None:
    imported = formats.load(DATA / "docsgpt.jsonl", "docsgpt", skip_bad=False, corpus=CORPUS)
    assert {problem.severity for problem in imported.problems} == {"note"}
    said = [str(problem) for problem in imported.problems]
    assert len(said) == 3
    assert said[0].startswith("docsgpt.jsonl:5: the source 'Moving a byre.")
    assert "may be any of 2 documents" in said[0]
    assert said[1].endswith("is not in the corpus, and is left out")
    assert said[2] == "docsgpt.jsonl:6: the answer was liked, but no document of it is known"


def test_a_short_source_is_whole_and_does_not_match_a_longer_document(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('{"_id": "a", "text": "Yes. In the attic."}\n{"_id": "b", "text": "Yes. In  the cellar."}\n')
    liked = {"prompt": "where", "response": "", "feedback": {"text": "LIKE"}}
    rows = [liked | {"sources": [{"text": text}]} for text in ("Yes. In the a", " Yes. In the\ncellar.")]
    assert judged(load(rows, tmp_path, corpus)) == {("where", "b", True, True)}


def test_a_bad_document_of_the_corpus_is_named_and_left_out(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('{"_id": "a", "text": "In the attic."}\n{"_id": "b", "te')
    messages = tmp_path / "messages.jsonl"
    messages.write_text('{"prompt": "where", "sources": [{"text": "In the attic."}], "feedback": "like"}')
    with pytest.raises(BadData, match=r"corpus.jsonl:2: is not JSON"):
        formats.load(messages, "docsgpt", skip_bad=False, corpus=corpus)
    assert judged(formats.load(messages, "docsgpt", skip_bad=True, corpus=corpus)) == {("where", "a", True, True)}


def test_a_corpus_without_documents_is_refused_and_not_made_of_sources(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("")
    with pytest.raises(BadData, match="has no document that can be used"):
        formats.load(DATA / "docsgpt.jsonl", "docsgpt", skip_bad=True, corpus=corpus)


def test_identical_documents_are_not_ambiguous(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('{"_id": "b", "text": "In the attic."}\n{"_id": "a", "text": "In the attic."}\n')
    row = {"prompt": "where", "sources": [{"text": "In the attic."}], "feedback": {"text": "like"}}
    assert judged(load([row], tmp_path, corpus)) == {("where", "a", True, True)}


def test_without_a_corpus_the_sources_are_the_corpus_and_those_that_may_be_cut_are_noted() -> None:
    imported = formats.load(DATA / "docsgpt.jsonl", "docsgpt", skip_bad=False)
    texts = {source["text"].strip() for row in ROWS for source in row["sources"]}
    assert {document.passage for document in imported.dataset.corpus.values()} == texts
    assert [str(problem) for problem in imported.problems] == [
        "sources: 2 documents may be cut at 1,000 characters: name the whole ones with --corpus"
    ]
    assert len(imported.review) == 1


@pytest.mark.parametrize(
    ("feedback", "judgements"),
    [
        (None, 0),
        ("null", 0),
        ({"text": None}, 0),
        ("like", 1),
        ('{"text": "like", "timestamp": "2026-10-05T09:13:02+00:00"}', 1),
        ('"Like"', 1),
        ({"text": "like"}, 1),
    ],
)
def test_feedback_is_read_in_every_form_that_it_is_stored_in(feedback: Any, judgements: int, tmp_path: Path) -> None:
    liked = {"prompt": "where", "sources": [{"text": "In the attic."}], "feedback": {"text": "like"}}
    row = {"prompt": "what", "sources": '[{"text": "A kettle."}]', "feedback": feedback}
    assert len(load([liked, row], tmp_path, None).dataset.judgements) == 1 + judgements


def test_a_question_that_was_liked_twice_counts_once(tmp_path: Path) -> None:
    row = {"prompt": "where", "sources": [{"text": "In the attic."}] * 2, "feedback": {"text": "like"}}
    assert len(load([row, row], tmp_path, None).dataset.judgements) == 1


def test_without_psycopg_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ExtraMissing, match=r"pip install 'instar\[trainer\]'"):
        formats.load("postgresql+psycopg://127.0.0.1/docsgpt", "docsgpt", skip_bad=False)
