"""Attention masks as a converted model needs them: traceable, and with no token that may see nothing.

A padding token may see nothing if it stands left of a decoder's text or out of reach of a sliding window. torch then
gives zeros and OpenVINO gives NaN, which spreads: zero times NaN is NaN. Here each token sees itself. This changes no
token of a text, because none of them sees a padding token.
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

_NAME = "instar_sdpa"


def make_convertible(model: PreTrainedModel) -> None:
    """Have `model` use these masks, if its attention goes through the interface of transformers."""
    if model.config._attn_implementation == "sdpa":
        AttentionInterface.register(_NAME, sdpa_attention_forward)
        AttentionMaskInterface.register(_NAME, _mask)
        model.set_attn_implementation(_NAME)


def _mask(*arguments: Any, **options: Any) -> torch.Tensor:
    """The boolean mask (texts, 1, queries, keys) of `sdpa_mask`, with its diagonal set."""
    # Shortcuts hold for one shape only, and vmap cannot be traced.
    traceable = {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False, "use_vmap": False}
    mask = sdpa_mask(*arguments, **{**options, **traceable})
    assert mask is not None  # noqa: S101  (only shortcuts give none)
    queries, keys = mask.shape[-2], mask.shape[-1]
    diagonal = torch.arange(queries)[:, None] == torch.arange(keys)[None, :]
    return mask | diagonal
