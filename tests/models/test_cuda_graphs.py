"""Small batches are filled up to the shapes of graphs, and the graphs of a GPU give the vectors of fp32."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from service.checkpoints import checkpoint
from service.machine.arrays import Vectors
from service.models import probe
from service.models.base import Cores, Prepared
from service.models.dense import DenseEncoder
from service.models.encoder_factory import EncoderFactory
from service.models.engines.base import Padded
from service.models.engines.cuda_graphs import filled, graph_shape
from tests.support import checkpoints

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")


@given(st.integers(1, 300), st.integers(1, 600), st.sampled_from((50, 128, 500, 512)))
def test_a_shape_holds_the_batch_and_no_longer_text_than_the_model_reads(rows: int, width: int, longest: int) -> None:
    graph_rows, graph_width = graph_shape(rows, width, longest)
    assert rows <= graph_rows < 2 * rows
    assert width <= graph_width < 1.25 * width + 16
    assert graph_width <= max(width, longest)


def test_there_are_few_shapes() -> None:
    assert len({graph_shape(rows, width, 512) for rows in range(1, 65) for width in range(1, 513)}) == 7 * 16


@pytest.mark.parametrize("typed", [True, False])
def test_what_a_batch_is_filled_up_with_is_masked_but_for_a_token_of_each_row(typed: bool) -> None:
    ids, mask = np.array([[7, 8, 9], [5, 6, 1]]), np.array([[1, 1, 1], [1, 1, 0]])
    arrays = filled(Padded(ids, mask, mask * 2 if typed else None), 4, 5)
    assert arrays.shape == (3 if typed else 2, 4, 5)
    np.testing.assert_array_equal(arrays[0, :2, :3], ids)
    assert arrays[1].tolist() == [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [1, 0, 0, 0, 0]]
    if typed:
        np.testing.assert_array_equal(arrays[2, :2, :3], mask * 2)


@pytest.fixture(params=["all-MiniLM-L6-v2", "of 50 positions"])
def encoders(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[DenseEncoder, DenseEncoder]:
    """In bf16, and in fp32 on the same GPU."""
    real = request.param == "all-MiniLM-L6-v2"
    folder = checkpoints.base() if real else checkpoints.tiny(tmp_path / "tiny", positions=50)
    read = checkpoint.read(folder, "model")
    found = EncoderFactory("auto", tmp_path / "engines", 2, lambda _: [], checkpoints.TRIALS).load(read)
    assert found.engine == "torch bf16"
    return found, DenseEncoder(read)


def _texts(encoder: DenseEncoder, pick: random.Random) -> list[Prepared]:
    words = " ".join(probe.TEXTS).split()
    texts = [" ".join(pick.choices(words, k=pick.randint(1, 150))) for _ in range(pick.randint(1, 40))]
    return encoder.prepare(texts, "document")


@needs_gpu
def test_graphs_and_what_runs_beside_them_give_the_vectors_of_fp32(encoders: tuple[DenseEncoder, DenseEncoder]) -> None:
    found, exact = encoders
    pick = random.Random(0)
    batches = [_texts(found, pick) for _ in range(120)]
    expected = [exact.finish(exact.forward(batch)) for batch in batches]

    def cosine(batch: list[Prepared], vectors: Vectors, cores: Cores) -> float:
        return float((found.finish(found.forward(batch, cores)) * vectors).sum(axis=1).min())

    cores: list[Cores] = ["whole", "spare", "single"]
    with ThreadPoolExecutor(4) as threads:
        cosines = list(threads.map(cosine, batches, expected, cores * 40))
    assert min(cosines) > 0.999, sorted(cosines)[:5]
