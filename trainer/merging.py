"""Weights between the base and the tuned model: the share of tuned ones is chosen on dev.

Interpolation keeps more of what the base knew than tuning alone does (WiSE-FT, Wortsman et al. 2022; LM-Cocktail, Xiao
et al. 2023), and because share 0 is the base itself, tuning that did harm is found out here.
"""

from collections.abc import Mapping, Sequence

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from trainer.errors import BadData
from trainer.training import DevEvaluator


def interpolate(
    model: SentenceTransformer, base: Mapping[str, Tensor], tuned: Mapping[str, Tensor], alpha: float
) -> None:
    """Set the weights of `model` to (1 - alpha) base + alpha tuned; raises BadData if they do not fit together."""
    shapes = [{name: tensor.shape for name, tensor in weights.items()} for weights in (base, tuned)]
    if shapes[0] != shapes[1]:
        raise BadData(
            "the two models have different layers, so their weights cannot be mixed: merge a model with its base"
        )
    model.load_state_dict(
        {
            name: torch.lerp(base[name], tuned[name], alpha) if tuned[name].is_floating_point() else tuned[name]
            for name in tuned
        }
    )


def choose(
    model: SentenceTransformer,
    base: Mapping[str, Tensor],
    tuned: Mapping[str, Tensor],
    evaluator: DevEvaluator,
    alphas: Sequence[float],
) -> tuple[float, dict[str, float]]:
    """Leave in `model` the mix that ranks best on dev; return its share and nDCG@10 on dev of every share.

    Of equals the one nearest to the base.
    """
    scores: dict[float, float] = {}
    for alpha in sorted(set(alphas)):
        interpolate(model, base, tuned, alpha)
        scores[alpha] = evaluator.ndcg(model)
    best = max(scores, key=lambda alpha: (scores[alpha], -alpha))
    interpolate(model, base, tuned, best)
    return best, {str(alpha): score for alpha, score in scores.items()}


def weights(model: SentenceTransformer) -> dict[str, Tensor]:
    """A copy of all weights, by name."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
