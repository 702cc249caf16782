"""The queue as a whole, with rankings that are made up: what is in it, why, in which order, and what it looks at."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.corpus.base import Document
from service.corpus.judgements import Judgement
from service.corpus.memory.store import MemoryStore
from service.errors import NotFound
from service.learning.memory import MemoryFeedbackStore
from service.learning.needs import Needs
from service.learning.pseudonyms import Pseudonyms
from service.learning.queue.queue import JudgementQueue, LookedAt, Waiting, Wanted
from service.learning.queue.rankings import Rankings, RankingSource
from service.learning.search_log import SearchLog
from service.learning.unsure import Unsure
from service.settings.groups import Searches
from tests.contract.feedback.stores import NOON, did, searched

AGREED = Rankings({2: ["a", "b"], 1: ["a", "b"]}, {2: ["a", "b"], 1: ["a", "b"]})


class MadeUp:
    """Rankings of questions as they are set; of all others that agree. It notes what it was asked."""

    def __init__(self, collections: set[str]) -> None:
        self.rankings: dict[str, Rankings] = {}
        self.searched: list[tuple[str, int]] = []
        index = SimpleNamespace(has=lambda collection: collection in collections)
        self._generations = [SimpleNamespace(number=2, index=index), SimpleNamespace(number=1, index=index)]

    def generations(self) -> list[Any]:
        return self._generations

    async def rank(self, _: object, collection: str, queries: Sequence[str], __: int) -> list[Rankings]:
        self.searched += [(collection, len(queries))]
        return [self.rankings.get(query, AGREED) for query in queries]


class House:
    """A queue on stores in memory, with the documents a to e in the collection default, and x in other."""

    def __init__(self, folder: Path) -> None:
        self.corpus = MemoryStore(10_000)
        self.users = MemoryFeedbackStore()
        self.made_up = MadeUp({"default", "other"})
        self.put("default", a="text a", b="text b", c="text c", d="text d", e="text e")
        self.put("other", x="text x")
        self.unsure = Unsure(self.corpus.records)
        log = SearchLog(self.users, Pseudonyms(folder / "key"), Searches())
        self.queue = JudgementQueue(self.users, log, self.corpus, self.unsure, cast(RankingSource, self.made_up))
        self._ids = iter(range(100_000))

    def put(self, collection: str, **texts: str) -> None:
        documents = [Document(name, text, {}) for name, text in texts.items()]
        self.corpus.documents.put(collection, documents, lambda _: None)

    def ask(self, query: str, times: int = 1, collection: str = "default") -> None:
        self.users.log(
            [searched(f"{next(self._ids):06}", "a", query=query, collection=collection) for _ in range(times)]
        )

    def complain(self, query: str, *documents: str, user: str = "ann", collection: str = "default") -> None:
        identity = str(next(self._ids))
        self.users.add([did(identity, "bad", *documents, query=query, user=user, collection=collection)])

    def judge(self, query: str, *documents: str, by: str = "ann", good: bool = True, **more: Any) -> None:
        fields: dict[str, Any] = {"query": query, "good": good, "by": by, "source": "person"} | more
        self.corpus.judgements.add([Judgement(document=document, **fields) for document in documents])

    def look(self, **wanted: Any) -> tuple[list[Waiting], LookedAt]:
        return asyncio.run(self.queue.waiting(Wanted(**wanted)))

    def reasons(self, **wanted: Any) -> Mapping[str, Sequence[str]]:
        return {one.question.query: one.reasons for one in self.look(**wanted)[0]}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_it_is_empty_while_nothing_was_asked(house: House) -> None:
    assert house.look() == ([], LookedAt(0, 0, 0, 0, [2, 1]))


def test_every_reason_is_given_and_each_has_its_turn(house: House) -> None:
    house.ask("often", 5)
    house.ask("oftener", 6)
    house.ask("once")
    for user in ("ann", "bob"):
        house.complain("worst", user=user)
    house.complain("bad", "c")
    house.ask("moved")
    house.ask("paraphrase")
    house.made_up.rankings |= {
        "moved": Rankings({2: ["a", "b"], 1: ["c", "d"]}, {2: [], 1: []}),
        "paraphrase": Rankings({2: ["a"], 1: ["a"]}, {2: ["b"], 1: ["b"]}),
        "worst": Rankings({2: ["a"], 1: ["d"]}, {2: ["b"], 1: ["b"]}),
    }
    assert list(house.reasons().items()) == [
        ("worst", ["bad", "generations", "modes"]),
        ("oftener", ["unjudged"]),
        ("bad", ["bad"]),
        ("often", ["unjudged"]),
        ("moved", ["generations"]),
        ("paraphrase", ["modes"]),
    ]
    assert list(house.reasons(reasons={"generations"})) == ["worst", "moved"]
    assert list(house.reasons(limit=2)) == ["worst", "oftener"]
    (worst, *_), looked_at = house.look()
    assert looked_at == LookedAt(thumbs=3, searches=14, questions=7, searched=7, generations=[2, 1])
    assert (worst.agreement_of_generations, worst.agreement_of_modes) == (0, 0)


def test_people_who_disagree_are_a_reason_until_one_more_decides(house: House) -> None:
    house.judge("split", "e", "d", by="ann", at=NOON)
    house.judge("split", "e", by="bob", good=False, at=NOON + timedelta(minutes=1))
    house.judge("split", "d", by="bob", at=NOON)
    (split,), _ = house.look(reasons={"people"}, by="carol")
    assert (split.question.query, split.reasons) == ("split", ["people"])
    # No ranking has found e.
    assert {one.document.id: (one.open, one.disagree, one.people) for one in split.passages} == {
        "a": (True, False, 0),
        "b": (True, False, 0),
        "e": (True, True, 2),
    }
    # It waits for ann, who was contradicted, and not for bob, who had the last word.
    assert [bool(house.look(reasons={"people"}, by=by)[0]) for by in ("ann", "bob", "carol")] == [True, False, True]
    assert house.reasons(by="ann") == {"split": ["people"]}
    (of_ann,), _ = house.look(by="ann")
    assert [(one.open, one.good) for one in of_ann.passages if one.disagree] == [(True, True)]
    house.unsure.add("carol", "default", "split", "text e")
    assert house.look(reasons={"people"}, by="carol")[0] == []
    house.judge("split", "e", by="dora")
    assert house.look(reasons={"people"})[0] == []


def test_people_who_disagree_about_what_is_gone_or_changed_are_no_reason(house: House) -> None:
    for by, good in (("ann", True), ("bob", False)):
        house.judge("split", "e", "d", by=by, good=good)
    house.put("default", e="another text")
    (split,), _ = house.look(reasons={"people"})
    assert [one.document.id for one in split.passages if one.disagree] == ["d"]
    house.corpus.documents.delete("default", ["d"], lambda _: None)
    assert house.look(reasons={"people"})[0] == []


def test_the_need_of_a_question_comes_with_it(house: House) -> None:
    house.ask("late? a", 2)
    assert house.look()[0][0].need is None
    Needs(house.corpus.records).save("default", "A late", "when it opens", "ann")
    assert [one.need and one.need.text for one in house.look()[0]] == ["when it opens"]


def test_documents_that_users_complained_of_come_beside_what_is_found_and_deleted_ones_do_not(house: House) -> None:
    house.complain("q", "e")
    house.complain("q", "gone")
    (question,), _ = house.look()
    assert {passage.document.id for passage in question.passages} == {"a", "b", "e"}
    assert {passage.document.text for passage in question.passages} == {"text a", "text b", "text e"}
    (question,), _ = house.look(depth=1)
    assert {passage.document.id for passage in question.passages} == {"a", "e"}


def test_a_question_leaves_when_all_its_passages_are_judged_and_comes_back_with_a_new_text(house: House) -> None:
    house.complain("q")
    house.judge("q", "a")
    (question,), _ = house.look()
    assert {passage.document.id: passage.open for passage in question.passages} == {"a": False, "b": True}
    house.judge("q", "b", by="bob", good=False)
    assert house.look()[0] == []
    # A thumb down that comes later tells nothing new.
    house.complain("q", user="carl")
    assert house.look()[0] == []
    house.put("default", b="another text")
    (question,), _ = house.look()
    assert {passage.document.id: passage.open for passage in question.passages} == {"a": False, "b": True}


def test_it_leaves_the_queue_of_the_person_who_has_judged(house: House) -> None:
    house.complain("q")
    house.judge("q", "a", "b", by="ann")
    assert house.look()[0] == house.look(by="ann")[0] == []
    (question,), _ = house.look(by="bob")
    assert [(passage.open, passage.good, passage.people) for passage in question.passages] == [(True, None, 1)] * 2


def test_it_leaves_the_queue_of_a_person_who_is_not_sure_and_of_nobody_else(house: House) -> None:
    house.ask("late a", 2)
    for text in ("text a", "text b"):
        house.unsure.add("ann", "default", "late a", text)
    assert house.reasons(by="ann") == {}
    assert list(house.reasons(by="bob")) == list(house.reasons()) == ["late a"]
    # Another text is another passage.
    house.put("default", a="another text")
    ((question,), _) = house.look(by="ann")
    assert {one.document.id: (one.open, one.unsure) for one in question.passages} == {
        "a": (True, False),
        "b": (False, True),
    }
    house.unsure.remove("ann", "default", "late a", "text b")
    ((question,), _) = house.look(by="ann")
    assert all(one.open for one in question.passages)


def test_questions_of_which_a_person_is_not_sure_keep_no_others_from_being_searched(house: House) -> None:
    for number in range(100):
        house.ask(f"question {number:03}", 3)
        for text in ("text a", "text b"):
            house.unsure.add("ann", "default", f"question {number:03}", text)
    house.ask("another", 2)
    assert list(house.reasons(by="ann")) == ["another"]


def test_only_people_close_a_passage_and_any_judgement_ends_being_unjudged(house: House) -> None:
    house.ask("q", 5)
    house.judge("q", "a", "b", source="sent")
    assert house.reasons() == {}
    house.complain("q")
    assert house.reasons() == {"q": ["bad"]}
    house.judge("q", "a", "b")
    assert house.reasons() == {}


def test_a_question_in_other_spelling_is_judged_as_well(house: House) -> None:
    house.ask("How late?", 3)
    house.ask("how late", 2)
    assert house.reasons() == {"How late?": ["unjudged"]}
    house.judge("how late", "a", "b")
    house.complain("how late")
    assert house.reasons() == {}


def test_it_says_the_side_of_a_question_that_has_one(house: House) -> None:
    house.complain("new")
    house.complain("judged before")
    house.corpus.judgements.add([Judgement(query="judged before", document="z", good=True, side="judge")])
    house.complain("Known, in other words: in other words known")
    house.corpus.judgements.add([Judgement(query="words in other known", document="y", good=False, side="train")])
    sides = {one.question.query: one.side for one in house.look()[0]}
    assert sides == {"new": None, "judged before": "judge", "Known, in other words: in other words known": "train"}


def test_questions_of_other_collections_are_left_out_if_one_is_named_and_of_gone_ones_always(house: House) -> None:
    house.complain("here")
    house.complain("there", "x", collection="other")
    house.complain("gone", collection="gone")
    assert set(house.reasons()) == {"here", "there"}
    assert set(house.reasons(collection="other")) == {"there"}
    assert house.made_up.searched[-1] == ("other", 1)
    with pytest.raises(NotFound, match="other"):
        house.look(collection="gone")


def test_a_question_that_finds_nothing_has_nothing_to_judge(house: House) -> None:
    house.made_up.rankings["q"] = Rankings({2: [], 1: []}, {2: [], 1: []})
    house.ask("q", 5)
    assert house.look()[0] == []


def test_however_much_was_asked_few_questions_are_searched(house: House) -> None:
    for number in range(3000):
        house.ask(f"question {number}", 2)
        house.complain(f"complaint {number}")
    waiting, looked_at = house.look()
    assert (len(waiting), looked_at.questions, looked_at.searched) == (10, 2000, 64)
    waiting, looked_at = house.look(limit=100)
    assert (len(waiting), looked_at.searched) == (100, 200)
    assert sum(count for _, count in house.made_up.searched) == 264
