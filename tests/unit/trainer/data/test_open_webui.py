"""Open WebUI's ratings become weak judgements of the chunks that an answer was made of, or wait for a person."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from trainer.data import formats
from trainer.errors import BadData

FILE = Path(__file__).parents[3] / "support" / "data" / "open_webui.json"
ROWS: list[dict[str, Any]] = json.loads(FILE.read_text())
MOVE, CATTLE = "Moving a byre takes two oxen.", "A byre is a house for cows."
LIKED = {("How do I move a byre?", MOVE), ("How do I move a byre?", CATTLE)}


def load(rows: list[Any], folder: Path, *, skip_bad: bool = False) -> formats.Imported:
    path = folder / "export.json"
    path.write_text(json.dumps(rows))
    return formats.load(path, "open-webui", skip_bad=skip_bad)


def judged(imported: formats.Imported) -> set[tuple[str, str]]:
    dataset = imported.dataset
    assert all(one.weak and one.good for one in dataset.judgements)
    return {(dataset.queries[one.query], dataset.corpus[one.document].text) for one in dataset.judgements}


def message(row: dict[str, Any], identity: str) -> dict[str, Any]:
    found: dict[str, Any] = row["snapshot"]["chat"]["chat"]["history"]["messages"][identity]
    return found


def altered(**fields: Any) -> dict[str, Any]:
    """The first row with other fields in its answer."""
    row = deepcopy(ROWS[0])
    message(row, "a1").update(fields)
    return row


def test_likes_are_weak_and_good_and_dislikes_wait_for_a_person() -> None:
    imported = formats.load(FILE, "open-webui", skip_bad=False)
    assert judged(imported) == LIKED
    assert [(aside.query, aside.response, aside.documents) for aside in imported.review] == [
        ("Why is the byre cold?", "It is not.", (CATTLE,))
    ]
    assert not imported.problems


def test_what_a_tool_has_answered_is_no_document(tmp_path: Path) -> None:
    sources = message(ROWS[0], "a1")["sources"]
    tools = [
        {"source": {"name": "calculator", "type": "tool", "id": "c"}, "document": ["42"], "metadata": [{}]},
        {"source": {"name": "clock/now"}, "document": ["noon"], "metadata": [{}], "tool_result": True},
    ]
    assert judged(load([altered(sources=[*sources, *tools])], tmp_path)) == LIKED


def test_newer_versions_have_the_answer_in_its_output_and_questions_in_blocks(tmp_path: Path) -> None:
    said = {"type": "message", "content": [{"type": "output_text", "text": "With two oxen."}]}
    row = altered(content="", output=[{"type": "reasoning", "content": [{"text": "Hm."}]}, said])
    row["data"]["rating"] = -1
    message(row, "q1")["content"] = [{"type": "text", "text": "How do I move a byre?"}, {"type": "image_url"}]
    (aside,) = load([row], tmp_path).review
    assert (aside.query, aside.response) == ("How do I move a byre?", "With two oxen.")


def test_whole_chats_are_read_with_their_annotations(tmp_path: Path) -> None:
    imported = load([row["snapshot"]["chat"] for row in ROWS], tmp_path)
    assert judged(imported) == LIKED
    assert len(imported.review) == 1


def test_other_versions_lay_the_history_elsewhere_and_call_sources_citations(tmp_path: Path) -> None:
    row = deepcopy(ROWS[0])
    history = row["snapshot"]["chat"]["chat"]["history"]
    answer = history["messages"]["a1"]
    answer["citations"] = answer.pop("sources")
    history["messages"] = list(history["messages"].values())
    row["snapshot"] = {"history": history}
    row["data"]["rating"] = "1"
    assert judged(load([row], tmp_path)) == LIKED


def test_ratings_that_were_taken_back_and_answers_without_sources_stop_nothing(tmp_path: Path) -> None:
    taken_back = ROWS[0] | {"data": {"rating": None}}
    imported = load([*ROWS, taken_back, altered(sources=[{"source": {"name": "a tool"}}])], tmp_path)
    assert judged(imported) == LIKED
    assert [str(problem) for problem in imported.problems] == [
        "export.json[3]: the answer was liked, but no document of it is known"
    ]


BAD: list[tuple[Any, str]] = [
    (3, "where a JSON object is needed"),
    ({"hello": 1}, "has no chat with a history"),
    (ROWS[0] | {"data": {"rating": 5}}, "the rating is 5, which is neither 1 nor -1"),
    (ROWS[0] | {"data": {"rating": True}}, "the rating is True"),
    (ROWS[0] | {"snapshot": None}, "has no chat with a history"),
    (ROWS[0] | {"meta": None}, "meta is None, where a JSON object is needed"),
    (ROWS[0] | {"meta": {"message_id": "gone"}}, "no message has the id 'gone'"),
    (altered(sources="guide.md"), "where a list of objects is needed"),
    (altered(sources=[{"document": "text"}]), "is no list of texts"),
    (altered(sources=[{"document": [7]}]), "the text of a source is 7, which is not text"),
    (altered(parentId=None), "the question is missing"),
    (ROWS[0] | {"snapshot": {"history": {"messages": 3}}}, "the messages are 3"),
    (ROWS[0] | {"snapshot": {"history": 3}}, "history is 3"),
]


@pytest.mark.parametrize(("row", "said"), BAD)
def test_a_bad_row_is_named_by_its_place_and_left_out(row: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="--skip-bad"):
        load([*ROWS, row], tmp_path)
    imported = load([*ROWS, row], tmp_path, skip_bad=True)
    (problem,) = [problem for problem in imported.problems if problem.severity == "bad"]
    assert problem.location == "export.json[2]"
    assert said in problem.reason
    assert judged(imported) == LIKED
