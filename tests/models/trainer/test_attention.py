"""Attention is plain where short texts are learnt in bf16 on a CPU, and fused where dev is measured meanwhile."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support import checkpoints, judged
from trainer.train import attention
from trainer.train.ranking_evaluator import RankingEvaluator


def fused() -> bool:
    return bool(torch.backends.cuda.flash_sdp_enabled())  # type: ignore[no-untyped-call]


def test_dev_is_measured_with_fused_attention_within_a_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data, seen = checkpoints.tiny_model(tmp_path / "parts"), judged.dataset(), list[bool]()
    encode = model.encode

    def watched(*arguments: Any, **named: Any) -> Any:
        seen.append(fused())
        return encode(*arguments, **named)

    monkeypatch.setattr(model, "encode", watched)
    with attention.learning(model, "bf16"):
        assert not fused()
        RankingEvaluator(data, data.good("dev"), "fp32")(model)
        assert not fused()
    assert seen
    assert all(seen)


def test_in_fp32_attention_is_fused_for_learning_too(tmp_path: Path) -> None:
    with attention.learning(checkpoints.tiny_model(tmp_path / "parts"), "fp32"):
        assert fused()


def test_long_texts_keep_the_attention_that_needs_no_square_of_their_length(tmp_path: Path) -> None:
    model = checkpoints.tiny_model(tmp_path / "parts")
    model.max_seq_length = 513
    with attention.learning(model, "bf16"):
        assert fused()
