"""Langfuse's thumbs become weak judgements of what the retriever returned, or wait for a person."""

import json
from pathlib import Path
from typing import Any

import pytest

from trainer.data import formats
from trainer.errors import BadData

FILE = Path(__file__).parents[3] / "support" / "data" / "langfuse.json"
TRACES: list[dict[str, Any]] = json.loads(FILE.read_text())
MOVE, CATTLE, HAY = "Moving a byre takes two oxen.", "A byre is a house for cows.", "Hay is dried grass."
LIKED = {("How do I move a byre?", MOVE), ("How do I move a byre?", CATTLE)}


def load(content: Any, folder: Path, *, skip_bad: bool = False, corpus: Path | None = None) -> formats.Imported:
    path = folder / "traces.json"
    path.write_text(json.dumps(content, indent=1))
    return formats.load(path, "langfuse", skip_bad=skip_bad, corpus=corpus)


def judged(imported: formats.Imported) -> set[tuple[str, str]]:
    dataset = imported.dataset
    assert all(one.weak and one.good for one in dataset.judgements)
    return {(dataset.queries[one.query], dataset.corpus[one.document].text) for one in dataset.judgements}


def changed(**fields: Any) -> dict[str, Any]:
    return TRACES[0] | fields


def test_likes_are_weak_and_good_and_dislikes_wait_for_a_person() -> None:
    imported = formats.load(FILE, "langfuse", skip_bad=False)
    assert judged(imported) == LIKED
    assert [(aside.query, aside.response, aside.documents) for aside in imported.review] == [
        ("Why is the byre cold?", "It is not.", (CATTLE,))
    ]
    # What nobody rated is a document of the corpus all the same.
    assert {document.text for document in imported.dataset.corpus.values()} == {MOVE, CATTLE, HAY}
    assert [str(problem) for problem in imported.problems] == ["scores: 'hallucination': not read as thumbs of users"]


def test_one_downloaded_trace_is_read(tmp_path: Path) -> None:
    assert judged(load(TRACES[0], tmp_path)) == LIKED


def test_a_download_of_the_newest_version_does_not_name_its_trace(tmp_path: Path) -> None:
    parts = {name: TRACES[0][name] for name in ("observations", "scores")}
    assert judged(load(parts, tmp_path)) == LIKED
    assert judged(load([parts, TRACES[2]], tmp_path)) == LIKED


def test_a_table_of_observations_has_the_scores_of_its_trace_as_columns(tmp_path: Path) -> None:
    rows = [one | {"user-feedback": [1], "toxicity": None} for one in TRACES[0]["observations"]]
    assert judged(load(rows, tmp_path)) == LIKED


def test_comments_corrections_and_scores_of_sessions_are_no_thumbs(tmp_path: Path) -> None:
    score = {"traceId": "trace1", "name": "feedback", "source": "ANNOTATION", "stringValue": "Thank you!"}
    rows = [
        score | {"dataType": "TEXT"},
        score | {"dataType": "CORRECTION", "value": 0},
        score | {"dataType": "NUMERIC", "value": 1, "traceId": None, "sessionId": "s"},
    ]
    imported = load([*TRACES, *rows], tmp_path)
    assert judged(imported) == LIKED
    assert str(imported.problems[0]).startswith("scores: 'feedback', 'hallucination'")


def snake(row: dict[str, Any]) -> dict[str, Any]:
    """The row as the blob storage export has it: underscores, and JSON as text."""
    names = {"traceId": "trace_id", "parentObservationId": "parent_observation_id", "stringValue": "string_value"}
    values = {names.get(name, name): value for name, value in row.items()}
    return {name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in values.items()}


def test_the_tables_of_the_blob_storage_export_are_joined_by_their_trace(tmp_path: Path) -> None:
    tables = {
        "scores": [snake(score) for trace in TRACES for score in trace["scores"]],
        "observations_v2": [snake(one) for trace in TRACES for one in trace["observations"]],
    }
    for name, rows in tables.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "2026-03-01.jsonl").write_text("\n".join(map(json.dumps, rows)))
    imported = formats.load(tmp_path, "langfuse", skip_bad=False)
    assert judged(imported) == LIKED
    assert len(imported.review) == 1


@pytest.mark.parametrize(
    "output",
    [
        [MOVE, CATTLE],
        {"documents": [{"text": MOVE}, {"content": CATTLE}]},
        {"results": [{"node": {"text": MOVE}, "score": 0.9}, {"node": {"text": CATTLE}, "score": 0.8}]},
        json.dumps([{"page_content": MOVE}, {"page_content": CATTLE}]),
    ],
)
def test_documents_are_read_in_the_forms_of_several_frameworks(output: Any, tmp_path: Path) -> None:
    retriever = TRACES[0]["observations"][0] | {"type": "RETRIEVER", "name": "search", "output": output}
    assert judged(load([changed(observations=[retriever])], tmp_path)) == LIKED


@pytest.mark.parametrize(
    "asked",
    [
        "How do I move a byre?",
        {"messages": [{"role": "user", "content": "first"}, {"role": "user", "content": "How do I move a byre?"}]},
        [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "How do I move a byre?"}],
        '{"query": "How do I move a byre?"}',
    ],
)
def test_the_question_is_read_where_the_retriever_does_not_tell_it(asked: Any, tmp_path: Path) -> None:
    retriever = TRACES[0]["observations"][0] | {"input": None}
    assert judged(load([changed(observations=[retriever], input=asked)], tmp_path)) == LIKED


def test_a_question_that_only_begins_like_json_is_a_question(tmp_path: Path) -> None:
    retriever = TRACES[0]["observations"][0] | {"input": "[sic] how"}
    assert {query for query, _ in judged(load([changed(observations=[retriever])], tmp_path))} == {"[sic] how"}


@pytest.mark.parametrize(
    ("score", "liked"),
    [
        ({"value": 1, "dataType": "BOOLEAN", "stringValue": "True"}, True),
        ({"value": None, "dataType": "CATEGORICAL", "stringValue": "thumbs-up"}, True),
        ({"value": "good", "dataType": "CATEGORICAL"}, True),
        ({"value": 0, "dataType": "BOOLEAN", "stringValue": "False"}, False),
        ({"value": -1}, False),
        ({"value": None, "stringValue": "not helpful"}, False),
    ],
)
def test_thumbs_come_as_numbers_and_words(score: dict[str, Any], liked: bool, tmp_path: Path) -> None:
    imported = load([changed(scores=[TRACES[0]["scores"][0] | score])], tmp_path)
    assert (judged(imported) == LIKED) == liked
    assert bool(imported.review) != liked


def test_a_column_of_the_table_of_traces_is_a_thumb_without_documents(tmp_path: Path) -> None:
    row = {"id": "t9", "input": "how", "output": "so", "user-feedback": [1], "toxicity": [0.1]}
    imported = load([*TRACES, row], tmp_path)
    assert judged(imported) == LIKED
    assert "no document of it is known" in str([str(problem) for problem in imported.problems])


def test_documents_are_matched_to_a_corpus(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text(json.dumps({"_id": "a", "text": f" {MOVE}"}))
    imported = load(TRACES, tmp_path, corpus=corpus)
    assert {one.document for one in imported.dataset.judgements} == {"a"}
    assert sum("is not in the corpus" in str(problem) for problem in imported.problems) == 2


BAD: list[tuple[Any, str]] = [
    ({"hello": 1}, "is no trace, observation or score"),
    (3, "where a JSON object is needed"),
    (changed(id="t", scores=[TRACES[0]["scores"][0] | {"value": 4}]), "is 4, which is no thumb: make it 1, 0 or -1"),
    (changed(id="t", scores=[TRACES[0]["scores"][0] | {"value": None}]), "is None, which is no thumb"),
    (changed(id="t", scores=[3]), "scores is [3], where a list of objects is needed"),
    (changed(id="t", observations="o"), "observations is 'o', where a list of objects is needed"),
    (changed(id="t", input=None, observations=[]), "the question is missing"),
]


@pytest.mark.parametrize(("row", "said"), BAD)
def test_a_bad_row_is_named_by_its_place_and_left_out(row: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="--skip-bad"):
        load([*TRACES, row], tmp_path)
    imported = load([*TRACES, row], tmp_path, skip_bad=True)
    (problem,) = [problem for problem in imported.problems if problem.severity == "bad"]
    assert problem.location == "traces.json[3]"
    assert said in problem.reason
    assert judged(imported) == LIKED
