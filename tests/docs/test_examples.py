"""The comparison of a page with an answer can fail."""

from tests.docs.examples import differences


def test_the_comparison_can_fail() -> None:
    assert differences({"a": [1.0, "text …"]}, {"a": [1.02, "text and more"], "b": 1}) == []
    for shown in ({"a": [0.9, "text"]}, {"a": [1.02]}, {"c": 1}, {"a": [1.02, "other"]}, {"a": None}, {"search": 1}):
        assert differences(shown, {"a": [1.02, "text and more"]}), shown
    assert differences(100, 90)
    assert differences(True, False)
