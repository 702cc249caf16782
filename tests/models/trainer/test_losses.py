"""The losses: built by name, sane on unit vectors, and chosen by what the data has."""

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from tests.support import checkpoints, judged
from trainer.data.dataset import Dataset
from trainer.errors import BadData
from trainer.recipe import LossName
from trainer.train import losses


def vectors(*rows: list[float]) -> Tensor:
    return torch.nn.functional.normalize(torch.tensor(rows, dtype=torch.float32), dim=-1).requires_grad_()


@pytest.fixture
def model(tmp_path: Path) -> Any:
    return checkpoints.tiny_model(tmp_path / "parts")


def test_every_name_is_a_loss_with_rows(model: Any) -> None:
    for name in get_args(LossName):
        if name == "auto":
            continue
        assert losses.rows_of(name) in ("tuples", "triplets", "pairs")
        if name not in losses.OF_RERANKERS_ALONE:
            assert isinstance(losses.build(name, model, model, []), torch.nn.Module)


def test_online_contrastive_learns_from_pairs_that_are_separated_but_inside_the_margin(model: Any) -> None:
    left, right = vectors([1, 0], [1, 0]), vectors([1, 0.1], [1, 1])
    labels = torch.tensor([1.0, 0.0])
    theirs = super(losses.OnlineContrastive, losses.OnlineContrastive(model)).compute_loss_from_embeddings(
        [left, right], labels
    )
    assert theirs == 0
    ours = losses.OnlineContrastive(model).compute_loss_from_embeddings([left, right], labels)
    assert ours > 0


def test_online_contrastive_does_not_grow_with_the_batch(model: Any) -> None:
    left, right = vectors([1, 0], [1, 0]), vectors([0, 1], [1, 0.1])
    labels = torch.tensor([1.0, 0.0])
    loss = losses.OnlineContrastive(model)
    once = loss.compute_loss_from_embeddings([left, right], labels)
    eight_times = loss.compute_loss_from_embeddings([left.repeat(8, 1), right.repeat(8, 1)], labels.repeat(8))
    assert once.item() == pytest.approx(eight_times.item())


def test_the_triplet_margin_can_be_reached_on_unit_vectors(model: Any) -> None:
    loss: Any = losses.build("triplet", model, None, [])
    far_apart = [vectors([1, 0]), vectors([1, 0.01]), vectors([0, 1])]
    assert loss.compute_loss_from_embeddings(far_apart, torch.empty(0)) == 0


def test_cosines_are_exact_under_bf16() -> None:
    left, right = torch.randn(20, 384), torch.randn(20, 384)
    exact = losses.cosine(left, right)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(losses.cosine(left, right), exact)
        assert losses.cosine(left.bfloat16(), right.bfloat16()).dtype == torch.float32


def test_a_matryoshka_dimension_that_the_model_has_not_is_refused(model: Any) -> None:
    with pytest.raises(BadData, match="32 dimensions"):
        losses.build("multiple-negatives", model, None, [64])


def test_auto_takes_a_loss_that_reads_bad_documents_as_negatives_and_says_why() -> None:
    name, why = losses.choose("auto", judged.dataset())
    assert losses.rows_of(name) == "tuples"
    assert "16 of 16" in why


def test_bad_documents_alone_are_refused() -> None:
    data = judged.dataset()
    only_bad = Dataset(data.queries, data.corpus, tuple(j for j in data.judgements if not j.good), data.splits)
    with pytest.raises(BadData, match="good document"):
        losses.choose("auto", only_bad)
