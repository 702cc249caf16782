"""`make fuzz` in a bounded form: no 5xx, and every answer is in the contract, with keys and without."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.run import fuzz
from tests.support.server import Server


@pytest.mark.parametrize("key", ["a-key", None])
def test_every_answer_is_in_the_contract(tmp_path: Path, embedded_sample: Path, key: str | None) -> None:
    keys: dict[str, Any] = {} if key is None else {"ADMIN_KEY": key, "API_KEY": "another"}
    shutil.copytree(embedded_sample, tmp_path, dirs_exist_ok=True)
    with Server(tmp_path, SAMPLE="true", **keys) as server:
        # The same requests in every run: what is new is for `make fuzz` to find.
        ran = fuzz(server, key, "--max-examples", "10", "--seed", "1")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "Tested: 4" in ran.stdout
