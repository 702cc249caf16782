"""Whatever people publish has the vectors of sentence-transformers, on the engine that it is meant for."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from service.checkpoints import checkpoint
from service.machine.arrays import Vectors
from service.models.base import CORES, LANES, Cores, Prepared, Side
from service.models.dense import DenseEncoder
from service.models.encoder_factory import EncoderFactory
from service.models.scheduling.scheduler import Scheduler
from service.models.torch_model import device_here
from service.settings import Settings
from tests.support import checkpoints, zoo
from tests.support.zoo import Specimen

_WORDS = "the parcel was returned because nobody had opened it when shelves of code met rain in town 7"
_RANDOM = random.Random(0)
TEXTS = {
    "short": ["No"],
    "long": ["a sentence about parcels, shelves and rain; " * 60],
    "empty-ish": [" ", "\n", ".", "🙂", "…", "\u200b"],
    "many": [" ".join(_RANDOM.choices(_WORDS.split(), k=_RANDOM.randint(1, 60))) for _ in range(20)],
}
# One of each kind: positions absolute, shifted, rotary and relative; attention to all, to neighbours, and backwards.
_BY_DAY = frozenset({"BERT", "XLM-R", "ModernBERT", "T5 encoder", "Qwen3", "static"})
_LEAST = {zoo.TORCH: 0.99999}


@pytest.fixture(scope="module")
def scheduler() -> Iterator[Scheduler]:
    # On one processor, so that services in other tests get to compute what they do at the lowest priority.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    scheduler = Scheduler.suited(Settings(), 1, device_here())
    scheduler.start()
    yield scheduler
    scheduler.stop()
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    "specimen",
    [
        pytest.param(specimen, id=specimen.name, marks=() if specimen.name in _BY_DAY else pytest.mark.nightly)
        for specimen in [*zoo.ARCHITECTURES, *zoo.VARIATIONS]
    ],
)
def test_vectors_are_those_of_sentence_transformers(specimen: Specimen, tmp_path: Path, scheduler: Scheduler) -> None:
    folder = specimen.save(tmp_path / "model")
    reference = SentenceTransformer(str(folder), device="cpu")
    if not specimen.padded:
        # sentence-transformers itself cannot compute two texts together then.
        reference.tokenizer.pad_token = "[PAD]"
    encoder = EncoderFactory("auto", tmp_path / "engines", 1, lambda _: [], checkpoints.TRIALS).load(
        checkpoint.read(folder, "model")
    )
    assert encoder.engine.startswith(specimen.engine), encoder.warnings
    least = _LEAST.get(encoder.engine, encoder.min_agreement)
    sides: list[tuple[Side | None, str]] = [
        ("query", "encode_query"),
        ("document", "encode_document"),
        (None, "encode"),
    ]
    for side, encode in sides:
        for kind, texts in TEXTS.items():
            # One at a time, because its positions begin before a text that is padded on the left.
            expected = getattr(reference, encode)(texts, normalize_embeddings=True, batch_size=1)
            items = encoder.prepare(texts, side)
            for lane in LANES:
                found = encoder.finish(scheduler.submit(encoder, items, lane).result())
                assert _least_cosine(found, expected) >= least, (side, kind, lane)
        # One after the other, on every kind of cores.
        for cores in CORES:
            found = np.concatenate([_alone(encoder, item, cores) for item in items[:4]])
            assert _least_cosine(found, expected[:4]) >= least, (side, cores)


def _alone(encoder: DenseEncoder, item: Prepared, cores: Cores) -> Vectors:
    return encoder.finish(encoder.forward([item], cores))


def _least_cosine(found: Vectors, expected: Vectors) -> float:
    """1 where both are zero, as the vectors of a static model are of a text without a known word."""
    cosines = (found * expected).sum(axis=1)
    cosines[(found == 0).all(axis=1) & (expected == 0).all(axis=1)] = 1
    return float(cosines.min())
