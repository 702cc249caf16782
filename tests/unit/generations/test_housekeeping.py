"""What nobody needs any more is deleted, and a failure of that fails nothing else."""

from types import SimpleNamespace
from typing import Any

import pytest

from service.errors import StorageFailed
from service.generations.housekeeping import Housekeeping


def test_vectors_that_cannot_be_deleted_now_fail_neither_a_reload_nor_a_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def forget(_needed: object, _spare: object) -> None:
        raise StorageFailed("a backup reads them")

    generations: Any = SimpleNamespace(recorded=list)
    indexes: Any = SimpleNamespace(forget=forget)
    nobody: Any = None
    housekeeping = Housekeeping(
        documents=nobody,
        generations=generations,
        loader=nobody,
        indexes=indexes,
        keep_vectors=2,
        thread=nobody,
        observer=nobody,
    )
    housekeeping.forget_unused(set(), set())
    assert "deleted after the next reload or start: a backup reads them" in caplog.text
