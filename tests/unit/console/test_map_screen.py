"""What the screen of maps makes of answers of the API."""

from typing import Any

from service.console.screens.maps import joined, keys_of


def question(
    query: str, first_good: int | None, x: int = 0, collection: str = "default", judged: bool = True
) -> dict[str, Any]:
    return {"query": query, "collection": collection, "x": x, "y": 0, "first_good": first_good, "judged": judged}


def test_questions_of_two_maps_stand_beside_each_other_the_unanswered_ones_first() -> None:
    before = [question("a", 1, x=5), question("b", None), question("a", 3, collection="other")]
    after = [question("a", 2, x=9), question("b", 4), question("c", None, x=7), question("0", None, judged=False)]
    rows = [(one.query, one.collection, one.ranks, one.shown["x"]) for one in joined([before, after])]
    assert rows == [
        ("b", "default", (None, 4), 0),
        ("c", "default", (None, None), 7),
        ("a", "default", (1, 2), 5),
        ("a", "other", (3, None), 0),
        ("0", "default", (None, None), 0),
    ]
    assert [one.ranks for one in joined([before])] == [(None,), (1,), (3,)]
    assert joined([[], []]) == []


def test_keys_are_those_of_plain_values() -> None:
    metadata = [{"year": 2026, "author": {"name": "x", "age": {}}}, {"tags": ["a"], "none": None, "k" * 99: 1}]
    keys = keys_of([{"metadata": one} for one in metadata])
    assert keys == ["year", "author.name", "author.age", "tags"]
