"""Mined hard negatives: near, but not too near, never judged, and of the model at hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support import checkpoints, judged
from trainer.data.dataset import Dataset, Document, Judgement
from trainer.prepare import mining


def test_what_was_judged_is_never_mined(tmp_path: Path) -> None:
    data = judged.dataset()
    mined = mining.mine(checkpoints.tiny_model(tmp_path / "parts"), data, per_row=5, margin=0.0)
    assert sum(map(len, mined.values())) > 0
    for (query, good), negatives in mined.items():
        assert not {good, f"bad{query[1:]}"} & set(negatives)
        assert len(set(negatives)) == len(negatives) <= 5


def test_a_mined_document_scores_below_the_good_one_by_the_margin_and_the_nearest_come_first(tmp_path: Path) -> None:
    data = judged.dataset()
    model = checkpoints.tiny_model(tmp_path / "parts")
    for (query, good), negatives in mining.mine(model, data, per_row=3, margin=0.05).items():
        vector = model.encode_query(data.queries[query], normalize_embeddings=True)
        (score, *others) = model.encode_document(data.passages([good, *negatives]), normalize_embeddings=True) @ vector
        assert all(other <= score - 0.05 * abs(score) + 1e-5 for other in others)
        np.testing.assert_allclose(others, sorted(others, reverse=True), atol=1e-6)


def test_an_identical_text_under_another_id_is_not_mined(tmp_path: Path) -> None:
    data = judged.dataset()
    corpus = dict(data.corpus) | {f"copy{n}": data.corpus[f"good{n}"] for n in range(24)}
    copied = Dataset(data.queries, corpus, data.judgements, data.splits)
    for (query, _), negatives in mining.mine(
        checkpoints.tiny_model(tmp_path / "parts"), copied, per_row=5, margin=0.0
    ).items():
        assert f"copy{query[1:]}" not in negatives


def test_another_model_mines_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = judged.dataset()
    first, second = (
        mining.mine(checkpoints.tiny_model(tmp_path / "parts", seed=seed), data, per_row=3, margin=0.0)
        for seed in (1, 2)
    )
    assert first != second
    assert not list(tmp_path.iterdir())


def test_only_training_queries_are_mined_for(tmp_path: Path) -> None:
    data = judged.dataset()
    mined = mining.mine(checkpoints.tiny_model(tmp_path / "parts"), data, per_row=1, margin=0.0)
    assert {query for query, _ in mined} == set(data.good("train"))


def test_a_corpus_of_one_document_has_nothing_to_mine(tmp_path: Path) -> None:
    data = Dataset({"q": "x"}, {"d": Document("y")}, (Judgement("q", "d", good=True),), {"q": "train"})
    assert mining.mine(checkpoints.tiny_model(tmp_path / "parts"), data, per_row=3, margin=0.05) == {}


def test_they_are_written_in_a_form_that_can_be_imported(tmp_path: Path) -> None:
    data = judged.dataset()
    mining.write({("q0", "good0"): ["bad1", "good2"]}, data, tmp_path / "mined.jsonl")
    assert json.loads((tmp_path / "mined.jsonl").read_text()) == {
        "query": data.queries["q0"],
        "pos": [data.corpus["good0"].passage],
        "neg": [data.corpus["bad1"].passage, data.corpus["good2"].passage],
    }
