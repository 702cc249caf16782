"""int8, which is asked for: calibrated on the corpus, kept, held to its own tolerance, and no reason not to start."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from service import sample
from service.checkpoints import checkpoint
from service.machine.arrays import Vectors
from service.models.dense import DenseEncoder
from service.models.encoder_factory import EncoderFactory
from service.models.engines.int8 import Int8
from tests.support import checkpoints

pytestmark = pytest.mark.nightly

DOCUMENTS = list(sample.load()["corpus"].values())
LONG, SHORT = DOCUMENTS[200:210], ["a question", "stocktaking", "No", "inventory", "42"]
TEXTS = [*LONG, *SHORT]


def documents(count: int) -> Sequence[str]:
    return DOCUMENTS[: min(count, 120)]


def vectors(encoder: DenseEncoder) -> Vectors:
    return np.vstack([encoder.finish(encoder.forward(encoder.prepare([text], "document"))) for text in TEXTS])


def test_it_is_calibrated_on_the_corpus_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without VNNI, whose products do not overflow, all-MiniLM-L6-v2 keeps less than it has to.
    monkeypatch.setattr(Int8, "min_agreement", 0.9)
    read = checkpoint.read(checkpoints.base(), "model")
    exact = vectors(EncoderFactory("torch", tmp_path / "engines", 2, documents, checkpoints.TRIALS).load(read))
    encoder = EncoderFactory("int8", tmp_path / "engines", 2, documents, checkpoints.TRIALS).load(read)
    assert encoder.engine == "openvino int8"
    found = vectors(encoder)
    cosines = (found * exact).sum(axis=1)
    assert 0.95 < cosines[: len(LONG)].min() < 0.9995, cosines
    # A single word, too, which int8 would change most.
    assert 0.99 < cosines[len(LONG) :].min() < 0.9999, cosines
    # The same, whatever shares its batch.
    together = encoder.finish(encoder.forward(encoder.prepare([*LONG[:3], *SHORT], "document")))
    np.testing.assert_allclose((together * found[[0, 1, 2, *range(len(LONG), len(TEXTS))]]).sum(axis=1), 1, atol=1e-3)

    def unneeded(_: int) -> Sequence[str]:
        raise AssertionError("it was calibrated again")

    again = EncoderFactory("int8", tmp_path / "engines", 2, unneeded, checkpoints.TRIALS).load(read)
    assert again.engine == "openvino int8"
    np.testing.assert_allclose(vectors(again), found, atol=1e-6)
    plain = EncoderFactory("auto", tmp_path / "engines", 2, unneeded, checkpoints.TRIALS).load(read)
    assert plain.engine.startswith("openvino")
    assert "int8" not in plain.engine
    assert (vectors(plain) * exact).sum(axis=1).min() > 0.999


@pytest.mark.parametrize("lack", ["documents", "NNCF", "agreement"])
def test_where_it_cannot_be_the_engine_is_chosen_as_without_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, lack: str
) -> None:
    folder = checkpoints.tiny(tmp_path / "model")
    if lack == "NNCF":
        monkeypatch.setitem(sys.modules, "nncf", None)
    if lack == "agreement":
        monkeypatch.setattr(Int8, "min_agreement", 1.1)
    made = EncoderFactory(
        "int8", tmp_path / "engines", 2, lambda _: DOCUMENTS[: 99 if lack == "documents" else 100], checkpoints.TRIALS
    )
    encoder = made.load(checkpoint.read(folder, "model"))
    assert encoder.engine.startswith("openvino")
    assert "int8" not in encoder.engine
    reason = {
        "documents": "there are 99 documents to calibrate it on, and 100 are needed",
        "NNCF": "pip install 'instar[int8]'",
        "agreement": "openvino int8 gives other vectors (cosine",
    }
    assert reason[lack] in caplog.text
