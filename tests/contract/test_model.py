"""What the rooms above rely on in any model that gives each text one vector."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.checkpoints import checkpoint
from service.models.base import CORES, Cores, DenseModel, Side
from service.models.dense import DenseEncoder
from service.models.scheduling.scheduler import Scheduler
from tests.support import checkpoints
from tests.support.hashed import HashedModel

TEXTS = st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1), min_size=1, max_size=6)
SIDES = st.sampled_from(["query", "document", None])


def hashed(_: Path) -> DenseModel:
    return HashedModel()


def dense(folder: Path) -> DenseModel:
    return DenseEncoder(checkpoint.read(checkpoints.tiny(folder / "model"), "model"))


@pytest.fixture(scope="module", params=[hashed, dense])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DenseModel:
    make: Callable[[Path], DenseModel] = request.param
    return make(tmp_path_factory.mktemp("model"))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS, side=SIDES, cores=st.sampled_from(CORES))
def test_a_text_has_the_vector_that_it_has_alone(
    model: DenseModel, texts: list[str], side: Side | None, cores: Cores
) -> None:
    together = model.finish(model.forward(model.prepare(texts, side), cores))
    alone = [model.finish(model.forward(model.prepare([text], side), cores))[0] for text in texts]
    assert together.shape == (len(texts), model.dimensions)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-5)


def test_vectors_are_cut_first_and_then_of_unit_length(model: DenseModel) -> None:
    raw = model.forward(model.prepare(["parcels", "shelves and shelves"], "document"), "whole")
    half = model.dimensions // 2
    for dimensions in (half, model.dimensions):
        np.testing.assert_allclose(np.linalg.norm(model.finish(raw, dimensions), axis=1), 1, atol=1e-6)
        np.testing.assert_array_equal(
            model.finish(raw, dimensions, normalize=False), raw[:, :dimensions].astype(np.float32)
        )


def test_texts_of_one_side_and_prompt_alone_may_share_a_batch(model: DenseModel) -> None:
    query, document = (model.prepare(["one", "two words"], side) for side in ("query", "document"))
    assert len({item.side_and_prompt for item in query}) == len({item.side_and_prompt for item in document}) == 1
    assert {item.side_and_prompt for item in query} != {item.side_and_prompt for item in document}


def test_the_scheduler_gives_each_text_its_vector_in_order(model: DenseModel) -> None:
    texts = ["a", "a longer text of some words", "b"] * 20
    scheduler = Scheduler(batch_tokens=50, bulk_batch_tokens=50, queue_tokens=10_000, queue_seconds=1000, processors=2)
    scheduler.start()
    try:
        items = model.prepare(texts, "document")
        for lane in ("interactive", "bulk"):
            rows = scheduler.submit(model, items, lane).result(30)
            np.testing.assert_allclose(
                rows, np.stack([model.forward([item], "single")[0] for item in items]), atol=1e-5
            )
    finally:
        scheduler.stop()
