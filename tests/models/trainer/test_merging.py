"""Weights between base and tuned: mixed exactly, chosen on dev, within what may be forgotten."""

from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from tests.support import checkpoints, judged
from trainer.errors import BadData
from trainer.train import merging
from trainer.train.merging import Ends
from trainer.train.ranking_evaluator import RankingEvaluator

GENERAL = {0.0: 0.5, 0.5: 0.49, 1.0: 0.4}


class Fixed(RankingEvaluator):
    """Ranks by the share that the first weight stands for, as `scores` says; notes the shares it was asked for."""

    def __init__(self, scores: dict[float, float]) -> None:
        self.scores, self.asked = scores, list[float]()

    def ndcg(self, model: object) -> float:
        share = round(float(first(model.state_dict())), 3)  # type: ignore[attr-defined]
        self.asked.append(share)
        return self.scores[share]


def first(weights: dict[str, Tensor]) -> Tensor:
    return next(tensor for tensor in weights.values() if tensor.is_floating_point()).flatten()[0]


def choose(folder: Path, dev: dict[float, float], general: Fixed | None = None) -> tuple[merging.Share, float]:
    """The share that is chosen, and the one whose weights are in the model afterwards."""
    model = checkpoints.tiny_model(folder / "parts")
    base = {name: tensor.zero_() for name, tensor in merging.weights(model).items()}
    tuned = {name: tensor.clone().fill_(1) for name, tensor in base.items()}
    share = merging.choose(model, Ends(base, tuned), Fixed(dev), list(dev), general=general, max_general_loss=0.02)
    return share, float(first(model.state_dict()))


def test_interpolation_is_linear_in_every_weight(tmp_path: Path) -> None:
    model = checkpoints.tiny_model(tmp_path / "parts")
    base, tuned = merging.weights(model), merging.weights(checkpoints.tiny_model(tmp_path / "parts", seed=2))
    merging.interpolate(model, base, tuned, 0.5)
    for name, tensor in model.state_dict().items():
        np.testing.assert_allclose(tensor, (base[name] + tuned[name]) / 2, atol=1e-6)


def test_share_0_is_the_base_whatever_the_tuned_weights_are(tmp_path: Path) -> None:
    model = checkpoints.tiny_model(tmp_path / "parts")
    base = merging.weights(model)
    diverged = {name: tensor.clone().fill_(np.nan) for name, tensor in base.items() if tensor.is_floating_point()}
    merging.interpolate(model, base, base | diverged, 0)
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor, base[name])


def test_a_training_that_has_diverged_is_told_to_learn_more_slowly(tmp_path: Path) -> None:
    base = merging.weights(checkpoints.tiny_model(tmp_path / "parts"))
    name = next(iter(base))
    infinite = base[name].clone().fill_(np.inf)
    with pytest.raises(BadData, match=rf"diverged: {name} is .* lower --learning-rate"):
        Ends(base, base | {name: infinite})
    Ends(base | {name: infinite}, base | {name: infinite})


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    model = checkpoints.tiny_model(tmp_path / "parts")
    base = merging.weights(model)
    with pytest.raises(BadData, match="with its base"):
        merging.interpolate(model, base, dict(list(base.items())[1:]), 0.5)


def test_the_base_is_a_candidate_and_wins_where_tuning_did_harm(tmp_path: Path) -> None:
    data = judged.dataset()
    model = checkpoints.tiny_model(tmp_path / "parts")
    good = merging.weights(model)
    harmed = {name: tensor.clone().zero_() for name, tensor in good.items()}
    dev = RankingEvaluator(data, data.good("dev"), "fp32")
    share = merging.choose(model, Ends(good, harmed), dev, [0, 1], general=None, max_general_loss=0)
    assert share.alpha == 0
    assert share.dev[0] > share.dev[1]


def test_of_equals_the_one_nearest_to_the_base_is_taken(tmp_path: Path) -> None:
    assert choose(tmp_path, {0.0: 0.5, 0.5: 0.7, 1.0: 0.7})[0].alpha == 0.5


def test_the_best_that_does_not_forget_too_much_is_taken(tmp_path: Path) -> None:
    general = Fixed(GENERAL)
    share, left = choose(tmp_path, {0.0: 0.5, 0.5: 0.7, 1.0: 0.9}, general)
    assert (share.alpha, left) == (0.5, 0.5)
    assert share.facts()["general_ndcg10_by_alpha"] == {"0": 0.5, "0.5": 0.49, "1": 0.4}


def test_without_a_general_set_the_best_on_dev_is_taken(tmp_path: Path) -> None:
    share, left = choose(tmp_path, {0.0: 0.5, 0.5: 0.7, 1.0: 0.9})
    assert (share.alpha, left) == (1, 1)


def test_no_more_shares_are_held_against_the_general_set_than_needed(tmp_path: Path) -> None:
    general = Fixed(GENERAL)
    assert choose(tmp_path, {0.0: 0.5, 0.5: 0.9, 1.0: 0.7}, general)[0].alpha == 0.5
    assert general.asked == [0, 0.5]


def test_shares_that_are_known_are_not_measured_again(tmp_path: Path) -> None:
    model, reader = checkpoints.tiny_model(tmp_path / "parts"), checkpoints.tiny_model(tmp_path / "reader")
    base = {name: tensor.zero_() for name, tensor in merging.weights(model).items()}
    tuned = {name: tensor.clone().fill_(1) for name, tensor in base.items()}
    # Another number than the base's shows that the reader is asked.
    reader.load_state_dict({name: tensor.clone().fill_(0.25) for name, tensor in base.items()})
    dev, general = Fixed({0.5: 0.6}), Fixed({0.25: 0.5, 0.5: 0.49, 1.0: 0.4})
    ends = Ends(base, tuned, reader, {0.0: 0.5, 1.0: 0.7})
    share = merging.choose(model, ends, dev, [0, 0.5, 1], general=general, max_general_loss=0.02)
    assert share.dev == {0: 0.5, 0.5: 0.6, 1: 0.7}
    assert (dev.asked, general.asked, share.alpha) == ([0.5], [0.25, 1, 0.5], 0.5)


def test_where_every_share_forgets_too_much_the_best_on_dev_is_left_to_the_gate(tmp_path: Path) -> None:
    general = Fixed({0.0: 0.5, 0.75: 0.3, 1.0: 0.4})
    share, left = choose(tmp_path, {0.75: 0.7, 1.0: 0.6}, general)
    assert (share.alpha, left) == (0.75, 0.75)
