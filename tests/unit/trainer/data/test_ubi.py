"""Events of User Behavior Insights become the judgements that the service would derive of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from trainer.data import formats
from trainer.errors import BadData

DATA = Path(__file__).parents[3] / "support" / "data"
CORPUS = DATA / "docsgpt_corpus.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in (DATA / "ubi.jsonl").read_text().splitlines()]
QUERIES = [row for row in ROWS if "action_name" not in row]
EVENTS = [row for row in ROWS if "action_name" in row]
QUESTION = "How do I move a byre?"


def load(rows: list[Any], folder: Path, *, skip_bad: bool = False) -> formats.Imported:
    path = folder / "ubi.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return formats.load(path, "ubi", skip_bad=skip_bad, corpus=CORPUS)


def judged(imported: formats.Imported) -> set[tuple[str, str, bool]]:
    dataset = imported.dataset
    assert all(0.15 <= one.weight < 1 and not one.weak for one in dataset.judgements)
    assert {one.source for one in dataset.judgements} <= {"feedback", "click"}
    return {(dataset.queries[one.query], one.document, one.good) for one in dataset.judgements}


def test_what_is_clicked_below_others_is_good_and_what_is_passed_over_is_bad(tmp_path: Path) -> None:
    imported = load(ROWS, tmp_path)
    assert (QUESTION, "short", True) in judged(imported)
    assert (QUESTION, "long", True) not in judged(imported)
    assert (QUESTION, "other", True) not in judged(imported)


def test_events_before_queries_rows_of_an_index_and_files_of_a_folder_are_read(tmp_path: Path) -> None:
    expected = judged(load(ROWS, tmp_path))
    assert judged(load([*EVENTS, *QUERIES], tmp_path)) == expected
    assert judged(load([{"_index": "ubi", "_id": "1", "_source": row} for row in ROWS], tmp_path)) == expected
    assert judged(load([*ROWS, *ROWS], tmp_path)) == expected
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "ubi_queries.json").write_text(json.dumps(QUERIES))
    (folder / "ubi_events.ndjson").write_text("\n".join(map(json.dumps, EVENTS)))
    assert judged(formats.load(folder, "ubi", skip_bad=False, corpus=CORPUS)) == expected


def test_what_users_did_is_tested_on_like_the_judgements_of_a_service(tmp_path: Path) -> None:
    dataset = load(ROWS, tmp_path).dataset
    assert [set(good) for good in dataset.good().values()] == [{"short"}]


def test_files_of_bulk_and_what_the_plugin_sends_to_data_prepper_are_read(tmp_path: Path) -> None:
    expected = judged(load(ROWS, tmp_path))
    action = {"index": {"_index": "ubi", "_id": "1"}}
    assert judged(load([line for row in ROWS for line in (action, row)], tmp_path)) == expected
    names = {"user_query": "userQuery", "query_id": "queryId", "client_id": "clientId", "timestamp": "timestamp"}
    as_java = [
        {java: row[name] for name, java in names.items()}
        | {"queryResponse": {"queryResponseHitIds": row["query_response_hit_ids"]}}
        for row in QUERIES
    ]
    assert judged(load([*as_java, *EVENTS], tmp_path)) == expected


def test_impressions_say_what_was_shown_for_a_query_that_does_not(tmp_path: Path) -> None:
    expected = judged(load(ROWS, tmp_path))
    bare = [row | {"query_response_hit_ids": []} for row in QUERIES]
    seen = [
        row
        | {
            "action_name": "Impression",
            "event_attributes": {"object": {"object_id": hit}, "position": {"ordinal": place}},
        }
        for row in QUERIES
        for place, hit in enumerate(row["query_response_hit_ids"])
    ]
    assert judged(load([*bare, *EVENTS, *seen], tmp_path)) == expected
    with pytest.raises(BadData, match="no judgement that can be used"):
        load([*bare, *EVENTS], tmp_path)


def test_what_was_said_and_clicked_of_a_pair_is_added_up(tmp_path: Path) -> None:
    (clicked,) = [one for one in load(ROWS, tmp_path).dataset.judgements if one.good]
    thumb = EVENTS[0] | {"action_name": "thumbs_up"}
    (both,) = [one for one in load([*ROWS, thumb], tmp_path).dataset.judgements if one.good]
    assert both.weight == pytest.approx(clicked.weight + 0.5)
    assert both.source == "feedback"


def test_a_folder_without_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(BadData, match="has no file that ends in"):
        formats.load(tmp_path, "ubi", skip_bad=False, corpus=CORPUS)


def test_queries_without_an_id_were_shown_and_not_clicked(tmp_path: Path) -> None:
    nameless = [{name: value for name, value in row.items() if name != "query_id"} for row in QUERIES]
    more = [row | {"user_query": f"{row['user_query']} {number}"} for number, row in enumerate(nameless)]
    assert judged(load([*ROWS, *more], tmp_path)) >= {(QUESTION, "short", True)}


def test_thumbs_on_documents_judge_and_other_actions_are_counted(tmp_path: Path) -> None:
    thumbs = [EVENTS[0] | {"action_name": name, "query_id": "q1", "client_id": name} for name in ("good", "share")]
    imported = load([QUERIES[1], *thumbs], tmp_path)
    assert judged(imported) == {(QUESTION, "short", True)}
    assert [str(problem) for problem in imported.problems] == ["events: actions that judge nothing: 'share' (1)"]


def test_documents_that_the_corpus_lacks_are_named_and_left_out(tmp_path: Path) -> None:
    good = [
        EVENTS[0] | {"action_name": "good", "event_attributes": {"object": {"object_id": one}}} for one in (7, "short")
    ]
    imported = load([QUERIES[0], *good], tmp_path)
    assert judged(imported) == {(QUESTION, "short", True)}
    assert [str(problem) for problem in imported.problems] == [
        "object_id: 1 documents are not in the corpus, such as '7'"
    ]


def test_without_the_documents_ubi_is_refused() -> None:
    with pytest.raises(BadData, match="name the documents with --corpus"):
        formats.load(DATA / "ubi.jsonl", "ubi", skip_bad=True)


BAD: list[tuple[Any, str]] = [
    ({"hello": 1}, "neither a query nor an event of UBI"),
    ([1], "where a JSON object is needed"),
    ({"_source": 3}, "_source is 3"),
    ({"user_query": " "}, "user_query: String should have at least 1 character"),
    ({"user_query": "how", "query_id": 3}, "query_id: Input should be a valid string"),
    ({"user_query": "other", "query_id": "q1"}, "stands for another query before"),
    ({"user_query": "how", "query_response_hit_ids": "a"}, "query_response_hit_ids: Input should be a valid list"),
    ({"user_query": "how", "query_response_hit_ids": [None]}, "query_response_hit_ids.0"),
    ({"user_query": "how \ud800"}, "half of a character"),
    (EVENTS[0] | {"action_name": None}, "action_name: Field required"),
    (EVENTS[0] | {"timestamp": "yesterday"}, "timestamp: Input should be a valid datetime"),
    (EVENTS[0] | {"timestamp": None}, "the timestamp is missing"),
    (EVENTS[0] | {"query_id": "q99"}, "no query has the query_id 'q99'"),
    (EVENTS[0] | {"event_attributes": {"object": "a"}}, "event_attributes.object: Input should be a valid dictionary"),
    (EVENTS[0] | {"event_attributes": ["a"]}, "event_attributes: Input should be a valid dictionary"),
    (EVENTS[0] | {"event_attributes": {"object": {"object_id": True}}}, "event_attributes.object.object_id"),
]


@pytest.mark.parametrize(("row", "said"), BAD)
def test_a_bad_row_is_named_by_its_line_and_left_out(row: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="--skip-bad"):
        load([*ROWS, row], tmp_path)
    imported = load([*ROWS, row], tmp_path, skip_bad=True)
    (problem,) = [problem for problem in imported.problems if problem.severity == "bad"]
    assert problem.location == f"ubi.jsonl:{len(ROWS) + 1}"
    # JSON with half of a character is refused by the parser already.
    assert said in problem.reason or "is not JSON" in problem.reason
    assert judged(imported) == judged(load(ROWS, tmp_path))
