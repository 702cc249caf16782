"""Two models compared: over the whole corpus, with good told from bad, and the same every time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from tests.support import checkpoints, judged
from trainer.data.dataset import Dataset, Document, Judgement
from trainer.errors import BadData
from trainer.prove import bm25, comparison, rankings, reduction
from trainer.prove.comparison import Contender, Exam
from trainer.prove.metrics import NDCG, PAIRS
from trainer.prove.report.model import Report


class Fake:
    """Stands for a model: each text's vector is given."""

    tokenizer = AutoTokenizer.from_pretrained(str(checkpoints.base()))
    device = torch.device("cpu")
    max_seq_length = 256

    def __init__(self, vectors: dict[str, list[float]]) -> None:
        self.vectors = vectors

    def modules(self) -> Sequence[Any]:
        return ()

    def encode_query(self, texts: Sequence[str], **_: Any) -> np.ndarray:
        found = np.array([self.vectors[text] for text in texts], np.float32)
        unit: np.ndarray = found / np.linalg.norm(found, axis=1, keepdims=True)
        return unit

    encode_document = encode_query


# Two questions, each with a good and a bad document, and one that nobody judged.
DATA = Dataset(
    {"q1": "one?", "q2": "two?"},
    {"g1": Document("good one"), "b1": Document("bad one"), "g2": Document("good two"), "b2": Document("bad two"),
     "x": Document("other")},
    (Judgement("q1", "g1", True), Judgement("q1", "b1", False),
     Judgement("q2", "g2", True), Judgement("q2", "b2", False)),
    {"q1": "test", "q2": "test"},
)  # fmt: skip
AXES = {"one?": [1.0, 0, 0], "two?": [0, 1.0, 0], "other": [0, 0, 1.0]}
PERFECT = Fake(
    AXES | {"good one": [1, 0.1, 0], "bad one": [0.5, 0, 1], "good two": [0.1, 1, 0], "bad two": [0, 0.5, 1]}
)
INVERTED = Fake(
    AXES | {"bad one": [1, 0.1, 0], "good one": [0.5, 0, 1], "bad two": [0.1, 1, 0], "good two": [0, 0.5, 1]}
)


def compare(base: Any, tuned: Any, data: Dataset = DATA, general: Dataset | None = None) -> Report:
    return comparison.compare(
        Contender("base", base),
        Contender("tuned", tuned),
        Exam(data, "splits as given", general),
        seed=1,
        package_faithful=None,
        quiet=True,
    )


def test_a_perfect_and_an_inverted_ranking_are_told_apart() -> None:
    report = compare(INVERTED, PERFECT)
    assert report.scores["tuned"][NDCG].value == 1
    assert report.scores["base"][NDCG].value < 0.65
    assert (report.scores["base"][PAIRS].value, report.scores["tuned"][PAIRS].value) == (0, 1)
    assert (report.wins, report.losses, report.ties) == (2, 0, 0)
    assert report.differences[NDCG].value == pytest.approx(1 - report.scores["base"][NDCG].value)


def test_the_base_with_words_beside_it_is_measured_too() -> None:
    passing_over: dict[str, list[float]] = {
        "good one": [0.5, 0, 1],
        "bad one": [0, 0, 1],
        "good two": [0, 0.5, 1],
        "bad two": [0, 0, 1],
    }
    base = Fake(AXES | passing_over | {"other": [0.6, 0.6, 0.5]})
    report = compare(base, PERFECT)
    assert report.scores["base"][NDCG].value < 0.65
    assert report.scores["hybrid"][NDCG].value == report.scores["tuned"][NDCG].value == 1
    assert report.gains_over_words["hybrid"].value == 0
    assert "The base in mode hybrid" in report.table()


@given(st.lists(st.text("abc ", max_size=12), min_size=1, max_size=6), st.text("abcd ", max_size=12))
def test_coverages_are_shares(passages: list[str], query: str) -> None:
    corpus = {str(number): Document(f"{passage} word") for number, passage in enumerate(passages)}
    coverages = bm25.score(Dataset({"q": query}, corpus, (), {}), ["q"]).coverages()
    assert coverages.shape == (1, len(passages))
    assert ((coverages >= 0) & (coverages <= 1)).all()


WORDED = {
    "refund": "退款需要一周。退款会退回到原来的卡上。",
    "hours": "我们九点开门,五点关门。",
    "thai": "วิธีคืนเงินให้ลูกค้า",
    "thai hours": "ร้านเปิดเก้าโมงเช้า",
    "korean": "환불은 일주일 걸립니다",
    "e-17": "The till shows E-17 when its drawer is open.",
    "a-17": "The printer shows A-17 when its paper is out.",
}


@pytest.mark.parametrize(
    ("query", "document"),
    [
        ("請問如何退款", "refund"),
        ("几点关门", "hours"),
        ("คืนเงิน", "thai"),
        ("환불", "korean"),
        ("E-17", "e-17"),
        ("a-17?", "a-17"),
    ],
)
def test_words_are_found_whatever_their_script(query: str, document: str) -> None:
    corpus = {identity: Document(passage) for identity, passage in WORDED.items()}
    scores = bm25.score(Dataset({"q": query}, corpus, (), {}), ["q"]).scores[0]
    best = scores.argmax()
    assert sorted(corpus)[best] == document
    assert scores[best] > sorted(scores)[-2]


def test_a_query_has_no_word_across_a_space_and_a_document_across_its_lines() -> None:
    corpus = {name: Document(text) for name, text in {"across": "불정", "lines": "退\n款", "other": "다른"}.items()}
    scores = bm25.score(Dataset({"q": "환불 정책", "r": "退款"}, corpus, (), {}), ["q", "r"]).scores
    assert not scores[0].any()
    assert [bool(score) for score in scores[1]] == [False, True, False]


def test_documents_that_nobody_judged_are_ranked_too() -> None:
    nearer = Fake(PERFECT.vectors | {"other": [1, 1, 0]})
    data = Dataset(DATA.queries, dict(DATA.corpus) | {f"x{n}": Document("other") for n in range(9)}, DATA.judgements,
                   DATA.splits)  # fmt: skip
    swamped = Fake(PERFECT.vectors | {"other": [1, 1, 0], "good one": [0.1, 0, 1], "good two": [0, 0.1, 1]})
    assert compare(PERFECT, nearer, data).documents == 14
    assert compare(PERFECT, swamped, data).scores["tuned"][NDCG].value < 0.5


def test_the_real_encoder_ranks_the_whole_corpus(tmp_path: Any) -> None:
    data = judged.dataset()
    model = checkpoints.tiny_model(tmp_path / "parts", prompts={"query": "ask: ", "document": "text: "})
    queries = sorted(data.good("test"))
    found = rankings.by_cosine(rankings.embed(model, data, queries, quiet=True), data, queries)
    ids = sorted(data.corpus)
    for query in queries:
        scores = model.encode(
            [f"text: {text}" for text in data.passages(ids)], normalize_embeddings=True
        ) @ model.encode(f"ask: {data.queries[query]}", normalize_embeddings=True)
        expected = [ids[place] for place in np.argsort(-scores, kind="stable")]
        assert list(found.top[query]) == expected
        good = f"good{query[1:]}"
        assert found.ranks[query][good] == expected.index(good) + 1


def test_ranks_reach_below_what_is_kept_of_a_ranking() -> None:
    corpus = {f"d{n:04}": Document(str(n)) for n in range(500)}
    data = Dataset({"q": "?"}, corpus, (Judgement("q", "d0499", True),), {"q": "test"})
    found = rankings.by_scores(-np.arange(500.0)[None, :], data, ["q"])
    assert found.ranks["q"] == {"d0499": 500}
    assert len(found.top["q"]) == rankings.DEPTH


def test_equal_scores_are_in_the_order_of_ids() -> None:
    found = rankings.by_scores(np.zeros((1, 5)), DATA, ["q1"])
    assert found.top["q1"] == sorted(DATA.corpus)


def test_a_report_repeats_and_reads_back() -> None:
    first, again = compare(INVERTED, PERFECT), compare(INVERTED, PERFECT)
    assert first == again
    assert Report.model_validate_json(first.model_dump_json()) == first


def test_a_model_against_itself_is_a_tie() -> None:
    report = compare(PERFECT, PERFECT)
    assert (report.wins, report.losses, report.ties) == (0, 0, 2)
    assert all((one.value, one.p) == (0, 1) for one in report.differences.values())
    assert report.drift.cosine_mean == pytest.approx(1)
    assert report.drift.overlap_at_10 == 1


def test_other_dimensions_have_no_cosine_but_an_overlap() -> None:
    wider = Fake({text: [*vector, 0.0] for text, vector in PERFECT.vectors.items()})
    report = compare(PERFECT, wider)
    assert report.drift.cosine_mean is None
    assert report.drift.overlap_at_10 == 1


def test_examples_show_the_beginning_of_passages_without_spaces() -> None:
    long = "退款需要一周。" * 100
    corpus = dict(DATA.corpus) | {"g1": Document(long), "b1": Document("bad  one")}
    data = Dataset(DATA.queries, corpus, DATA.judgements, DATA.splits)
    before, after = (
        Fake(model.vectors | {long: model.vectors["good one"], "bad  one": model.vectors["bad one"]})
        for model in (INVERTED, PERFECT)
    )
    example = next(one for one in compare(before, after, data).examples if one.query == "q1")
    texts = {line.document: line.text for line in example.before}
    assert texts["g1"] == f"{long[:239]}…"
    assert texts["b1"] == "bad one"


def test_weak_judgements_join_no_test_questions() -> None:
    weak = [Judgement(f"w{n}", f"g{n}", True, weak=True) for n in (1, 2)]
    weak += [Judgement(f"w{n}", "x", True, weak=True) for n in (1, 2)]
    queries = dict(DATA.queries) | {"w1": "first?", "w2": "second?"}
    joined = Dataset(queries, DATA.corpus, (*DATA.judgements, *weak), DATA.splits)
    assert compare(INVERTED, PERFECT, joined).clusters == 2
    people = [Judgement(one.query, one.document, True) for one in weak]
    by_people = Dataset(queries, DATA.corpus, (*DATA.judgements, *people), DATA.splits)
    assert compare(INVERTED, PERFECT, by_people).clusters == 1


def test_a_collapsed_model_shows() -> None:
    collapsed = Fake({text: [1.0, 1.0, 1.0] for text in PERFECT.vectors})
    report = compare(PERFECT, collapsed)
    assert report.collapse["tuned"] == pytest.approx(1)
    assert report.collapse["base"] < 0.9


def test_worst_losses_come_first_and_examples_mark_good_and_bad() -> None:
    mixed = Fake(PERFECT.vectors | {"good two": [0, 0.5, 1], "bad two": [0.1, 1, 0]})
    report = compare(PERFECT, mixed)
    assert [one.id for one in report.queries] == ["q2", "q1"]
    (example,) = report.examples
    assert [line.judged for line in example.before][:2] == ["good", "bad"]
    assert [line.judged for line in example.after][:2] == ["bad", "good"]


def test_queries_without_bad_documents_do_not_count_as_pairs() -> None:
    data = Dataset(DATA.queries, DATA.corpus, DATA.judgements[:3], DATA.splits)
    assert compare(INVERTED, PERFECT, data).scores["tuned"][PAIRS].value == 1
    only_good = Dataset(DATA.queries, DATA.corpus, DATA.judgements[::2], DATA.splits)
    assert PAIRS not in compare(INVERTED, PERFECT, only_good).scores["tuned"]


def test_a_general_set_is_ranked_by_both_models() -> None:
    report = compare(INVERTED, PERFECT, general=DATA)
    assert report.general is not None
    assert report.general.base < report.general.tuned == 1


def test_a_split_without_good_documents_is_refused() -> None:
    with pytest.raises(BadData, match="test"):
        compare(PERFECT, PERFECT, DATA.with_splits({"q1": "train", "q2": "train"}))


def test_k_is_the_smallest_that_reaches_the_recall_of_the_base() -> None:
    ids = [f"d{n}" for n in range(20)]
    good = {"q": {"d4"}, "r": {"d1"}}
    base = {"q": ids, "r": ids}
    tuned = {"q": ["d4", *ids[:4], *ids[5:]], "r": ids}
    tokens = dict.fromkeys(ids, 100)
    found = reduction.reduce(base, tuned, good, tokens, 5)
    assert (found.recall, found.tuned_k, found.tokens_saved) == (1, 2, 300)
    worse = reduction.reduce(tuned, base, good, tokens, 2)
    assert (worse.tuned_k, worse.tokens_saved) == (5, -300)
    never = reduction.reduce(base, {"q": ids[5:] * 2, "r": ids[5:] * 2}, good, tokens, 5)
    assert (never.tuned_k, never.tokens_saved) == (None, None)
