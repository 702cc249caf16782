"""Mixes the weights of the base and the tuned model. Dev chooses the share, and the general set limits it.

A mix keeps more of what the base knew than tuning alone does (WiSE-FT, Wortsman et al. 2022; LM-Cocktail, Xiao et al.
2023). Share 0 is the base itself, so tuning that did harm shows here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from pydantic import JsonValue
from torch import Tensor, nn

from trainer.errors import BadData
from trainer.train.ranking_evaluator import Evaluator


def interpolate(model: nn.Module, base: Mapping[str, Tensor], tuned: Mapping[str, Tensor], alpha: float) -> None:
    """Set the weights of `model` to (1 - alpha) base + alpha tuned. Share 0 is the base, whatever the tuned ones are.

    Raises BadData if their shapes differ.
    """
    shapes = [{name: tensor.shape for name, tensor in weights.items()} for weights in (base, tuned)]
    if shapes[0] != shapes[1]:
        raise BadData(
            "the two models have different layers, so their weights cannot be mixed: merge a model with its base"
        )
    if alpha == 0:
        model.load_state_dict(dict(base))
        return
    model.load_state_dict(
        {
            name: torch.lerp(base[name], tuned[name], alpha) if tuned[name].is_floating_point() else tuned[name]
            for name in tuned
        }
    )


@dataclass(frozen=True)
class Ends:
    """The weights that are mixed, by name: the `base`'s are share 0, and the `tuned` ones share 1.

    `reader` ranks as the base's weights do, and may have read the documents. `ndcg` has by share what was measured on
    dev before. Raises BadData if tuned weights are no finite numbers.
    """

    base: Mapping[str, Tensor]
    tuned: Mapping[str, Tensor]
    reader: nn.Module | None = None
    ndcg: Mapping[float, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, weights in self.tuned.items():
            before = self.base.get(name)
            # A mask that the base has may be infinite.
            if before is not None and not _finite(weights) and _finite(before):
                raise BadData(
                    f"the training has diverged: {name} is not all finite numbers, so the model answers nothing; train"
                    " again with a lower --learning-rate"
                )

    def measured(self, alpha: float, model: nn.Module, evaluator: Evaluator) -> float:
        """nDCG@10 of a mix. If it is measured in `model`, this gets its weights."""
        if alpha == 0 and self.reader is not None:
            return evaluator.ndcg(self.reader)
        interpolate(model, self.base, self.tuned, alpha)
        return evaluator.ndcg(model)


@dataclass(frozen=True)
class Share:
    """The chosen share of tuned weights, and nDCG@10 by share on dev and on the general set.

    All shares are tried on dev. On the general set they are tried until one is good enough.
    """

    alpha: float
    dev: Mapping[float, float]
    general: Mapping[float, float]

    def __str__(self) -> str:
        if not self.dev:
            return "a new head is taken as it was trained"
        sentence = f"nDCG@10 on dev by share of the tuned weights: {_listed(self.dev)}; "
        if self.general:
            sentence += f"on the general set: {_listed(self.general)}; "
        return f"{sentence}{self.alpha:g} is taken"

    def facts(self) -> dict[str, JsonValue]:
        """The share and all scores, as a manifest keeps them."""
        facts: dict[str, JsonValue] = {"alpha": self.alpha}
        for name, scores in (("dev", self.dev), ("general", self.general)):
            facts[f"{name}_ndcg10_by_alpha"] = {f"{alpha:g}": score for alpha, score in scores.items()}
        return facts


# The tuned weights as they are, without a choice.
WHOLE = Share(1.0, {}, {})


def choose(
    model: nn.Module,
    ends: Ends,
    dev: Evaluator,
    alphas: Sequence[float],
    *,
    general: Evaluator | None,
    max_general_loss: float,
) -> Share:
    """Set `model` to the mix that ranks best on dev and loses at most `max_general_loss` on the general set.

    In a tie the share nearest to the base wins. If every share loses more, the best on dev is taken, and the gate
    rejects it later.
    """
    scores: dict[float, float] = {}
    for alpha in sorted(set(alphas)):
        scores[alpha] = ends.ndcg[alpha] if alpha in ends.ndcg else ends.measured(alpha, model, dev)
    order = sorted(scores, key=lambda alpha: (-scores[alpha], alpha))
    best, remembered = order[0], dict[float, float]()
    if general is not None:
        remembered[0] = ends.measured(0, model, general)
        for alpha in order:
            if alpha not in remembered:
                remembered[alpha] = ends.measured(alpha, model, general)
            if remembered[0] - remembered[alpha] <= max_general_loss:
                best = alpha
                break
    interpolate(model, ends.base, ends.tuned, best)
    return Share(best, scores, dict(sorted(remembered.items())))


def weights(model: nn.Module) -> dict[str, Tensor]:
    """A copy of all weights, by name, each in memory of its own."""
    return {
        name: tensor.detach().clone(memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
    }


def _finite(weights: Tensor) -> bool:
    return bool(torch.isfinite(weights).all())


def _listed(scores: Mapping[float, float]) -> str:
    return ", ".join(f"{alpha:g}: {score:.3f}" for alpha, score in scores.items())
