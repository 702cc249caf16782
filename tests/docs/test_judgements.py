"""The forms in docs/judgements.md are read by the console, the service and the trainer."""

import json
from pathlib import Path

import pytest

from service.console import exchange
from tests.docs.examples import FENCE, ROOT, here, run
from tests.support.server import Server

BLOCKS = FENCE.findall((ROOT / "docs" / "judgements.md").read_text(encoding="utf-8"))
CALLS = [text for language, text in BLOCKS if language == "bash" and text.startswith("curl")]


def test_the_table_says_what_the_call_below_it_says() -> None:
    (table,) = (text for language, text in BLOCKS if language == "csv")
    sent = CALLS[0].partition("-d '")[2].rpartition("'")[0]
    assert exchange.read(table) == json.loads(sent)["judgements"]


@pytest.mark.nightly
def test_the_service_takes_the_calls_and_the_trainer_the_files(demo: Server, tmp_path: Path) -> None:
    assert len(CALLS) == 2
    for call in CALLS:
        answer = json.loads(run(here(call, demo).replace("curl ", "curl -sS --fail-with-body ")))
        assert answer["unresolved"] == 0
        assert answer["added"] > 0
    listed = demo.get("/admin/judgements?source=generated")["judgements"]
    assert {judgement["side"] for judgement in listed} == {"train"}
    (files,) = (text for language, text in BLOCKS if language == "bash" and text.startswith("mkdir"))
    said = run(here(files, demo), tmp_path)
    assert "good judgements" in said
