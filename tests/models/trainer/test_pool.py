"""Pools: the passages by which two models differ, to be judged blind, and what becomes of the verdicts."""

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.trainer.test_commands import Trainer, fill
from tests.support import judged
from trainer.data import later
from trainer.data.dataset import Dataset, Document
from trainer.prove import pool
from trainer.prove.rankings import Rankings

DATA = judged.dataset()
QUERIES = sorted(DATA.good())
ORDERS = st.permutations(sorted(DATA.corpus))


def rankings(orders: dict[str, list[str]]) -> Rankings:
    return Rankings(orders, {query: {} for query in orders})


@given(first=ORDERS, second=ORDERS, depth=st.integers(1, 48))
def test_a_pool_has_what_one_model_alone_finds_and_nobody_has_judged(
    first: list[str], second: list[str], depth: int
) -> None:
    before, after = (rankings(dict.fromkeys(QUERIES, order)) for order in (first, second))
    pairs = pool.unjudged(before, after, DATA, QUERIES, depth=depth, seed=1)
    assert len(set(pairs)) == len(pairs)
    for query in QUERIES:
        differing = set(first[:depth]) ^ set(second[:depth])
        number = query.removeprefix("q")
        assert {document for asked, document in pairs if asked == query} == differing - {
            f"good{number}",
            f"bad{number}",
        }


def test_questions_by_which_the_models_differ_most_come_first() -> None:
    order = sorted(DATA.corpus)
    orders = {query: order[number % 5 :] + order[: number % 5] for number, query in enumerate(QUERIES)}
    pairs = pool.unjudged(rankings(dict.fromkeys(QUERIES, order)), rankings(orders), DATA, QUERIES, depth=10, seed=1)
    counts = [sum(asked == query for asked, _ in pairs) for query in dict.fromkeys(query for query, _ in pairs)]
    assert counts == sorted(counts, reverse=True)


def test_the_order_says_nothing_of_the_models() -> None:
    """The documents of either model are in the first place for about half of many questions."""
    order = sorted(DATA.corpus)
    before, after = (rankings(dict.fromkeys(QUERIES, each)) for each in (order, order[::-1]))
    pairs = pool.unjudged(before, after, DATA, QUERIES, depth=10, seed=1)
    first = dict(reversed(pairs))
    assert 4 < sum(document in order[:10] for document in first.values()) < len(QUERIES) - 4


def test_queries_of_equal_texts_are_asked_once_and_all_have_the_verdict(tmp_path: Path) -> None:
    texts = {"d": Document("by bus"), "e": Document("by train")}
    data = Dataset({"q": "How do I get there?", "r": "how do i get there?"}, texts, ())
    before, after = (rankings(dict.fromkeys(data.queries, order)) for order in (["d", "e"], ["e", "d"]))
    pairs = pool.unjudged(before, after, data, sorted(data.queries), depth=1, seed=1)
    assert sorted(document for _, document in pairs) == ["d", "e"]
    pool.write(pairs, data, tmp_path / "pool.csv")
    judged_file = (tmp_path / "pool.csv").read_text(encoding="utf-8").replace(",,", ",1,")
    (tmp_path / "pool.csv").write_text(judged_file, encoding="utf-8")
    dataset, problems = later.added(data, tmp_path / "pool.csv", skip_bad=False)
    assert not problems
    assert dataset.good() == {"q": {"d", "e"}, "r": {"d", "e"}}


def test_no_cell_is_a_formula_to_a_spreadsheet_and_the_verdicts_are_read_again(tmp_path: Path) -> None:
    data = Dataset({"q": "=1+1?"}, {"@d": Document('=HYPERLINK("x")'), "e": Document("-5 degrees")}, ())
    path = tmp_path / "pool.csv"
    pool.write([("q", "@d"), ("q", "e")], data, path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert [list(row.values()) for row in csv.DictReader(file)] == [
            ["'=1+1?", "'@d", "", '\'=HYPERLINK("x")'],
            ["'=1+1?", "e", "", "'-5 degrees"],
        ]
    path.write_text(path.read_text(encoding="utf-8").replace(",,", ",1,"), encoding="utf-8")
    assert later.added(data, path, skip_bad=False)[0].good() == {"q": {"@d", "e"}}


@pytest.fixture
def trainer(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Trainer:
    fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    return Trainer(tmp_path, capsys)


def ids(report: Any) -> list[str]:
    return [query["id"] for query in report["queries"]]


def test_verdicts_on_a_pool_count_in_the_next_comparison(trainer: Trainer) -> None:
    on_data = "data --format beir --split given --baseline base"
    trainer("train data --format beir --base base --precision fp32 --learning-rate 0.002 --epochs 4 --out tuned")
    facts = trainer.facts(f"pool tuned {on_data} --depth 5 --most 6 --out pool.csv")
    assert 0 < facts["written"] <= 6
    with (trainer.folder / "pool.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == facts["written"]
    assert {row["good"] for row in rows} == {""}
    test = {DATA.queries[query] for query in DATA.good("test")}
    assert {row["query"] for row in rows} <= test
    # The person finds that half of them answer.
    with (trainer.folder / "pool.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"good": number % 2} for number, row in enumerate(rows))
    before = trainer.facts(f"evaluate tuned {on_data} --out before")
    after = trainer.facts(f"evaluate tuned {on_data} --judged pool.csv --out after")
    assert ids(after) == ids(before)
    assert after["queries"] != before["queries"]
    counts = trainer.facts("import data --format beir --judged pool.csv --out merged")
    assert counts["good"] + counts["bad"] == len(DATA.judgements) + len(rows)
    # Nobody asks the same again, and no verdict is written over.
    again = trainer.facts(f"pool tuned {on_data} --judged pool.csv --depth 5 --out pools/more.csv")
    assert (trainer.folder / "pools" / "more.csv").is_file()
    assert again["passages"] == facts["passages"] - len(rows)
    assert "name another file" in trainer(f"pool tuned {on_data} --out pool.csv", code=2)


def test_later_judgements_do_not_divide_the_questions_anew(trainer: Trainer) -> None:
    """Good documents that two questions share would bring them into one split, and a model was trained on one."""
    data = "data --format beir --split by-component --baseline base"
    (trainer.folder / "later.csv").write_text(
        "query,document,good\n" + "".join(f"q{number},good{number + 1},1\n" for number in range(23)), encoding="utf-8"
    )
    alone = trainer.facts(f"evaluate base {data} --out alone")
    later = trainer.facts(f"evaluate base {data} --judged later.csv --out later")
    assert ids(later) == ids(alone)
    assert later["queries"] != alone["queries"]
