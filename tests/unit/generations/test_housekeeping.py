"""What nobody needs any more is deleted, and a failure of that fails nothing else."""

import errno
from types import SimpleNamespace
from typing import Any

import pytest

from service.errors import StorageFailed
from service.generations.housekeeping import Housekeeping


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StorageFailed("a backup reads them"), "a backup reads them"),
        (
            PermissionError(errno.EACCES, "Permission denied", "vectors/two.db"),
            "vectors/two.db cannot be deleted (Permission denied): let the user of the service delete it",
        ),
    ],
)
def test_vectors_that_cannot_be_deleted_now_fail_neither_a_reload_nor_a_start(
    error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    def forget(_needed: object, _spare: object) -> None:
        raise error

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
    assert f"deleted after the next reload or start: {said}" in caplog.text
