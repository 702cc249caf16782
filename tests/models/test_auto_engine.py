"""`INSTAR_ENGINE=auto` takes int8 where it is faster and keeps torch's vectors, once for a processor, and says why."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service import sample
from service.checkpoints import checkpoint
from service.machine.arrays import Vectors
from service.machine.children import ChildLost, InThisProcess, Limits, Say, Work
from service.models import verdict
from service.models.dense import DenseEncoder
from service.models.encoder_factory import EncoderFactory, Trials
from service.models.engines import openvino
from service.models.engines.grouped import GroupedInt8
from service.models.pace import Batch, Run
from tests.support import checkpoints

TEXTS = [*list(sample.load()["corpus"].values())[200:220], *list(sample.load()["queries"].values())[40:80], "No", "42"]


class Measured:
    """A measurement that always comes to the same, and counts how often it was made."""

    def __init__(self, ratio: float) -> None:
        self.ratio = ratio
        self.times = 0

    def __call__(self, usual: Run, other: Run, batches: Sequence[Batch]) -> float:
        for batch in batches:
            usual(batch)
            other(batch)
        self.times += 1
        return self.ratio


def no_documents(_: int) -> list[str]:
    return []


def load(folder: Path, engines: Path, pace: Measured, children: InThisProcess | None = None) -> DenseEncoder:
    trials = Trials(children or InThisProcess(), seconds=600, pace=pace)
    return EncoderFactory("auto", engines, 2, no_documents, trials).load(checkpoint.read(folder, "model"))


def vectors(encoder: DenseEncoder) -> Vectors:
    return np.vstack([encoder.finish(encoder.forward(encoder.prepare([text], "document"))) for text in TEXTS])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A random model whose weights have the width of a group. It keeps less than trained weights do."""
    monkeypatch.setattr(GroupedInt8, "min_agreement", 0.9)
    return checkpoints.tiny(tmp_path / "model", dimensions=128)


@pytest.mark.nightly
def test_int8_keeps_the_vectors_of_torch_without_any_document(tmp_path: Path) -> None:
    encoder = load(checkpoints.base(), tmp_path / "engines", Measured(1.25))
    assert encoder.engine == "openvino int8"
    assert encoder.min_agreement == 0.999
    exact = vectors(DenseEncoder(checkpoint.read(checkpoints.base(), "model")))
    cosines = (vectors(encoder) * exact).sum(axis=1)
    assert 0.999 < cosines.min() < 0.9999, cosines
    # Short texts are computed by the exact engine.
    assert cosines[-2:].min() > 0.9999
    together = encoder.finish(encoder.forward(encoder.prepare(TEXTS, "document")))
    assert (together * exact).sum(axis=1).min() > 0.999


@pytest.mark.nightly
def test_what_is_faster_is_taken_and_remembered_for_this_processor(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    pace = Measured(1.3)
    first = load(folder, tmp_path / "engines", pace)
    assert first.engine == "openvino int8"
    assert "int8 by groups in sequences is 1.30 times as fast as OpenVINO in sequences" in first.engine_reason
    assert f"{first.checkpoint.id} is computed by openvino int8 because {first.engine_reason}" in caplog.text
    assert not first.warnings
    again = load(folder, tmp_path / "engines", pace)
    assert (again.engine, again.engine_reason, pace.times) == (first.engine, first.engine_reason, 1)
    np.testing.assert_array_equal(vectors(again), vectors(first))
    # The data folder moves to another machine, where int8 gains nothing, and back.
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(verdict, "_machine", lambda: "another processor")
        there = load(folder, tmp_path / "engines", Measured(0.92))
        assert "int8" not in there.engine
        assert "0.92 times as fast" in there.engine_reason
    assert load(folder, tmp_path / "engines", pace).engine == "openvino int8"
    assert pace.times == 2


def test_the_more_exact_engine_stays_where_little_is_gained(folder: Path, tmp_path: Path) -> None:
    encoder = load(folder, tmp_path / "engines", Measured(1.09))
    assert encoder.engine in ("openvino bf16", "openvino fp32")
    assert encoder.engine_reason.endswith(
        "is 1.09 times as fast as OpenVINO in sequences on this processor, and 1.1 times would be needed"
    )
    assert not encoder.warnings


def test_the_more_exact_engine_stays_where_int8_gives_other_vectors(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GroupedInt8, "min_agreement", 1.1)
    pace = Measured(2.0)
    encoder = load(folder, tmp_path / "engines", pace)
    assert "int8" not in encoder.engine
    assert "int8 by groups in sequences is not used (openvino int8 gives other vectors (cosine" in encoder.engine_reason
    assert pace.times == 0
    assert not encoder.warnings


def test_a_model_whose_weights_make_no_groups_is_not_measured(tmp_path: Path) -> None:
    pace = Measured(2.0)
    encoder = load(checkpoints.tiny(tmp_path / "model"), tmp_path / "engines", pace)
    assert "int8" not in encoder.engine
    assert "it has no weights in groups of 128" in encoder.engine_reason
    assert pace.times == 0


def test_an_int8_engine_that_crashes_costs_nothing_else(folder: Path, tmp_path: Path) -> None:
    class Crashing(InThisProcess):
        def run(self, work: Work, limits: Limits, on_line: Say) -> None:
            def say(line: str) -> None:
                on_line(line)
                if '"trying"' in line and '"grouped"' in line:
                    raise ChildLost("it died of SIGILL", "crash")

            super().run(work, limits, say)

    encoder = load(folder, tmp_path / "engines", Measured(2.0), Crashing())
    assert encoder.engine in ("openvino bf16", "openvino fp32")
    assert encoder.warnings[-1].endswith("because OpenVINO int8 by groups in sequences failed (it died of SIGILL)")


def test_a_full_disk_costs_int8_until_the_next_start(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = openvino._save

    def full(model: Any, target: Path) -> None:
        if list((tmp_path / "engines").glob("*.sequences-float")):
            raise OSError(28, "No space left on device")
        save(model, target)

    with monkeypatch.context() as patched:
        patched.setattr(openvino, "_save", full)
        encoder = load(folder, tmp_path / "engines", Measured(2.0))
    assert "int8" not in encoder.engine
    assert "its conversion is not on the disk" in encoder.warnings[-1]
    assert load(folder, tmp_path / "engines", Measured(2.0)).engine == "openvino int8"
