"""`make fuzz` in a bounded form: no 5xx, and every answer is in the contract, with keys and without."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.run import furnish, fuzz
from tests.support.metrics import samples
from tests.support.server import Server

pytestmark = pytest.mark.nightly


@pytest.mark.parametrize("key", ["a-key", None])
def test_every_answer_is_in_the_contract(tmp_path: Path, embedded_sample: Path, key: str | None) -> None:
    keys: dict[str, Any] = {} if key is None else {"ADMIN_KEY": key, "API_KEY": "another"}
    shutil.copytree(embedded_sample, tmp_path, dirs_exist_ok=True)
    with Server(tmp_path, SAMPLE="true", **keys) as server:
        furnish(server, key)
        # The same requests in every run: what is new is for `make fuzz` to find.
        ran = fuzz(server, key, "--max-examples", "10", "--seed", "1")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        tested = re.search(r"Tested: (\d+)", ran.stdout)
        assert tested is not None
        assert int(tested[1]) > 40
        # Whatever was rolled back, there was a reranker to the end.
        answered = {
            labels["route"] for labels, _ in samples(server)["instar_requests_total"] if labels["status"] == "200"
        }
        assert {"/rerank", "/v1/rerank", "/v2/rerank"} <= answered
        assert server.get("/info")["reranker"]["model"]
