"""A verdict and its undoing: what was there before comes back, whatever it was."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.console.judging import judge, read_history, restore, state_before
from service.console.pages import Visit
from service.console.public_api import ApiError
from service.console.screens.judge import Pile, pace, shown, why

PAIR = {"query": "q", "document": "d", "collection": "default"}


class Api:
    """One passage as the API keeps it: a person's judgement of it, and whether that person is not sure."""

    def __init__(self, judgement: Mapping[str, Any] | None = None, *, unsure: bool = False) -> None:
        self.judgement = judgement
        self.unsure = unsure
        self.taken_back = 0

    async def get(self, path: str, conditions: Mapping[str, Any]) -> Any:
        assert path == "/admin/judgements"
        assert conditions == {**PAIR, "source": "person", "by": "ann", "limit": 1}
        return {"judgements": [] if self.judgement is None else [self.judgement]}

    async def post(self, path: str, body: Mapping[str, Any]) -> None:
        if path == "/admin/judgements/unsure":
            assert body == {**PAIR, "by": "ann"}
            self.unsure = True
            return
        (sent,) = body["judgements"]
        assert not {"side", "stale"} & set(sent)
        self.judgement = {"at": "now", "weight": 1.0, **sent, "side": "train", "stale": False}

    async def call(self, method: str, path: str, *, params: Mapping[str, Any]) -> None:
        assert method == "DELETE"
        if path == "/admin/judgements/unsure":
            assert params == {**PAIR, "by": "ann"}
            self.unsure = False
        else:
            assert params == {**PAIR, "source": "person", "by": "ann"}
            self.judgement = None
            self.taken_back += 1


def judged(*, good: bool, stale: bool = False) -> dict[str, Any]:
    said = {**PAIR, "good": good, "source": "person", "by": "ann", "at": "yesterday", "weight": 0.5}
    return {**said, "side": "train", "stale": stale}


def visit(api: Api) -> Visit:
    return cast(Visit, SimpleNamespace(api=api, session=SimpleNamespace(name="ann")))


@pytest.mark.parametrize("verdict", ["good", "bad", "unsure", "none"])
@pytest.mark.parametrize("before", [None, judged(good=True), judged(good=False)])
@pytest.mark.parametrize("unsure", [True, False])
def test_undoing_brings_back_what_was_there(verdict: str, before: dict[str, Any] | None, unsure: bool) -> None:
    api = Api(before, unsure=unsure)
    said = "" if before is None else "good" if before["good"] else "bad"
    form = {**PAIR, "said": said or ("unsure" if unsure else "")}
    unsure_before = form["said"] == "unsure"
    api.unsure = unsure_before

    async def there_and_back() -> str:
        former = json.loads(json.dumps(await state_before(visit(api), form)))
        await judge(visit(api), {**form, "verdict": verdict})
        return await restore(visit(api), {**form, "said": verdict}, former)

    assert asyncio.run(there_and_back()) == form["said"]
    assert api.judgement == before
    assert api.unsure == unsure_before


def test_a_word_that_is_said_again_is_the_last_one_and_undone_it_is_the_former_one() -> None:
    before = judged(good=True)
    api = Api(before)
    form = {**PAIR, "again": "yes"}
    former = asyncio.run(state_before(visit(api), form))
    asyncio.run(judge(visit(api), {**form, "verdict": "good"}))
    assert api.taken_back == 1
    assert api.judgement is not None
    assert api.judgement["at"] == "now"
    assert asyncio.run(restore(visit(api), form, former)) == "good"
    assert (api.taken_back, api.judgement) == (2, before)


def test_of_disagreements_only_the_passages_are_shown_on_which_people_disagree() -> None:
    passages = [
        {"id": "a", "open": True, "disagree": True},
        {"id": "b", "open": True, "disagree": False},
        {"id": "c", "open": False, "disagree": True},
    ]
    question = {"passages": passages, "open": 2, "complaints": 0, "searches": 1, "reasons": ["people"]}
    assert shown(question, "people") == {
        **question,
        "passages": passages[:1],
        "open": 1,
        "why": ["people disagree"],
    }
    assert shown(question, None)["passages"] == passages


def test_a_stale_judgement_is_not_made_to_count_by_undoing() -> None:
    api = Api(judged(good=True, stale=True))
    former = asyncio.run(state_before(visit(api), PAIR))
    assert asyncio.run(restore(visit(api), {**PAIR, "said": "bad"}, former)) == ""
    assert api.judgement is None


def test_another_verdict_is_refused() -> None:
    with pytest.raises(ApiError, match="good, bad, unsure or none"):
        asyncio.run(judge(visit(Api()), {**PAIR, "verdict": "perhaps"}))


@pytest.mark.parametrize("text", ["{", "3", "[3]", '[{"judgement": null}]', '{"judgement": 1}'])
def test_a_damaged_history_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="load the page again"):
        read_history(text)
    assert read_history("") == []


def test_pace_leaves_breaks_out() -> None:
    start = datetime(2026, 11, 28, 12, tzinfo=UTC)
    moments = [start + timedelta(seconds=seconds) for seconds in (0, 5, 3605, 3612)]
    assert pace(moments) == pace(moments[::-1]) == 6
    assert pace(moments[:1]) is None
    assert pace([]) is None
    assert pace([start, start + timedelta(hours=1)]) is None


def test_an_address_holds_the_state_and_nothing_that_it_does_not_know() -> None:
    pile = Pile.of({"collection": "a b", "reason": "modes", "view": "list"})
    assert pile == Pile("a b", "modes", "list")
    assert pile.address(view="one", reason=None) == "?collection=a+b"
    assert Pile.of({"reason": "<script>", "view": "x", "collection": ""}) == Pile()


def test_reasons_are_said_in_words() -> None:
    question = {"complaints": 3, "searches": 1041, "reasons": ["bad", "unjudged", "generations", "modes"]}
    assert why(question) == [
        "3 users gave a thumb down",
        "asked 1,041 times",
        "judged by nobody",
        "models disagree",
        "words and meaning disagree",
    ]
    assert why({"complaints": 1, "searches": 1, "reasons": ["bad"]}) == ["1 user gave a thumb down"]
