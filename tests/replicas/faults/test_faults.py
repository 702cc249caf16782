"""Promise 10 behind a balancer: each fault once, at a step that a seed has drawn. `make faults` tries all at each."""

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from service.observability.steps import Step
from tests.replicas.faults import cells
from tests.replicas.faults.cells import Cell
from tests.replicas.faults.world import World, world
from tests.support.balancer import PROGRAM
from tests.support.postgres import Postgres

pytestmark = pytest.mark.nightly

CELLS = cells.chosen(seed=1, seconds=2)
# Cells in which the whole matrix has found something.
STEPS: tuple[Step, ...] = ("reload.probed", "reload.embedded", "reload.published", "reload.judged")
MENDED = [Cell("refuse", step, "itself", 2) for step in STEPS]


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory, database: Postgres) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("faults"), database, f"s{uuid4().hex}") as made:
        yield made


@pytest.mark.skipif(PROGRAM is None and "CI" not in os.environ, reason="it needs HAProxy")
@pytest.mark.parametrize("cell", [*CELLS, *MENDED], ids=str)
def test_replicas_swap_as_one_and_answer_throughout(replicas: World, cell: Cell) -> None:
    violations = replicas.run(cell)
    assert not violations, "\n".join([*violations[:10], f"the history is in {replicas.folder}"])


def test_every_fault_is_tried_and_each_at_another_step() -> None:
    assert [cell.fault for cell in CELLS] == list(cells.FAULTS)
    assert len({cell.step for cell in CELLS}) == len(CELLS)
    assert cells.chosen(seed=1, seconds=2) == CELLS
    assert set(CELLS) < set(cells.matrix(2))
