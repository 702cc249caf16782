"""Metrics: what an operator needs is there, alerts and dashboard ask for nothing else, and promtool agrees."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.metrics import OF_REPLICAS, samples
from tests.support.server import Server

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"
DASHBOARD = DEPLOY / "grafana" / "instar.json"
_NAMES = re.compile(r"\b(?:instar|process)_\w+")


def asked_for(alerts: str, dashboard: dict[str, Any]) -> set[str]:
    """The names of all metrics that alerts and dashboard ask for."""
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return set(_NAMES.findall("\n".join([alerts, *(target["expr"] for target in targets)])))


def test_all_that_alerts_and_dashboard_ask_for_is_there(server: Server) -> None:
    server.search("anything")
    asked = asked_for(ALERTS.read_text(), json.loads(DASHBOARD.read_text()))
    assert len(asked) > 20
    # One process has no others to tell of.
    assert asked - set(samples(server)) == OF_REPLICAS


@pytest.mark.skipif(
    shutil.which("promtool") is None and "CI" not in os.environ,
    reason="promtool comes with Debian's package prometheus",
)
def test_promtool_finds_nothing_to_say(server: Server) -> None:
    text = server.client.get("/metrics").content
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    for command in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        ran = subprocess.run(["promtool", *command], cwd=ALERTS.parent, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_state_of_the_index_and_of_reloads_is_told(tiny_server: Server) -> None:
    server = tiny_server
    server.put_documents({f"d{n}": f"document {n}" for n in range(20)})
    server.post("/documents/delete", {"ids": ["d0", "d1"]})
    server.search("a document")
    before = samples(server)
    assert before["instar_documents"] == [({}, 18)]
    assert before["instar_fresh_documents"] == [({}, 18)]
    assert before["instar_deleted_documents"] == [({}, 2)]
    assert before["instar_collections"] == [({}, 1)]
    assert before["instar_reload_running"] == [({}, 0)]
    assert sorted(labels["step"] for labels, _ in before["instar_search_duration_seconds_count"]) == [
        "encode",
        "fetch",
        "search",
    ]
    lanes = {labels["lane"]: value for labels, value in before["instar_queue_wait_seconds_count"]}
    # The documents, the query, and what checks a checkpoint at its load.
    assert lanes["bulk"] >= 1
    assert lanes["interactive"] >= 1
    assert server.reload("two")["state"] == "done"
    assert server.reload("one")["state"] == "done"
    after = samples(server)
    ended = {labels["state"]: value for labels, value in after["instar_reloads_total"]}
    assert ended == {"done": 2, "failed": 0, "cancelled": 0, "refused": 0}
    ((activated, _),) = [(value, labels) for labels, value in after["instar_activated_timestamp_seconds"]]
    assert activated > before["instar_activated_timestamp_seconds"][0][1]
    assert after["instar_retained_generations"] == [({}, 1)]
