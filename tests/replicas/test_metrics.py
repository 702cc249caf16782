"""Metrics of replicas: each says how far it follows, and all say who leads and how many are ready."""

import json
import math
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.process.test_metrics import ALERTS, DASHBOARD, asked_for
from tests.support import replicas
from tests.support.metrics import OF_REPLICAS, samples
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.waiting import until

pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path, database: Postgres
) -> Iterator[list[Server]]:
    """Two replicas with the checkpoint `one`."""
    folder = tmp_path_factory.mktemp("pair")
    with replicas.running(folder, 2, tiny_checkpoints, database, MODEL="one", schema=f"s{uuid4().hex}") as servers:
        yield servers


def value(server: Server, name: str) -> float:
    """The value of the metric; not a number if there is none at the moment."""
    ((_, number),) = samples(server).get(name, [({}, math.nan)])
    return number


def all_ready(servers: list[Server]) -> bool:
    return all(value(server, "instar_ready_replicas") == len(servers) for server in servers)


def test_all_that_alerts_and_dashboard_ask_for_is_there_while_a_replica_leads(pair: list[Server]) -> None:
    one, other = pair
    one.put_documents({f"d{number}": f"document {number}" for number in range(20)})
    one.search("a document")
    until(lambda: all_ready(pair))
    assert value(one, "instar_alive_replicas") == 2
    assert value(one, "instar_unfinished_reloads") == 0
    assert {value(server, "instar_replica_leads") for server in pair} == {0}
    assert "instar_lead_silent_seconds" not in samples(one)
    epoch = value(one, "instar_replica_epoch")
    one.post("/admin/reload", {"model": "two", "shadow": 0.5})
    until(lambda: value(one, "instar_replica_leads") == 1)
    until(lambda: value(other, "instar_unfinished_reloads") == 1)
    assert value(other, "instar_replica_leads") == 0
    assert asked_for(ALERTS.read_text(), json.loads(DASHBOARD.read_text())) <= set(samples(one))
    assert samples(one).keys() >= OF_REPLICAS
    until(lambda: one.get("/info")["reload"]["stage"] == "shadow")
    one.post("/admin/activate")
    until(lambda: value(other, "instar_replica_epoch") > epoch)
    assert value(one, "instar_replica_epoch") == value(other, "instar_replica_epoch")
    until(lambda: value(other, "instar_unfinished_reloads") == 0)


def test_a_replica_that_is_stopped_is_lost_to_the_others_until_it_goes_on(pair: list[Server]) -> None:
    one, other = pair
    until(lambda: all_ready(pair))
    other.process.send_signal(signal.SIGSTOP)
    try:
        until(lambda: value(one, "instar_alive_replicas") == 1)
        assert value(one, "instar_ready_replicas") == 1
    finally:
        other.process.send_signal(signal.SIGCONT)
    until(lambda: all_ready(pair))
    until(lambda: value(other, "instar_replica_lag_seconds") < 3)


def test_without_the_database_a_replica_is_not_ready_and_says_nothing_of_the_others(
    pair: list[Server], database: Postgres
) -> None:
    one, _ = pair
    until(lambda: all_ready(pair))
    database.stop("immediate")
    try:
        until(lambda: value(one, "instar_replica_lag_seconds") > 3)
        assert value(one, "instar_ready") == 0
        until(lambda: "instar_ready_replicas" not in samples(one))
    finally:
        database.start()
    until(lambda: value(one, "instar_ready") == 1)
    until(lambda: all_ready(pair))
