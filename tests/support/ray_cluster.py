"""A Ray cluster of two machines, both of which are this one, for as long as a block."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psutil
import pytest
from ray.cluster_utils import Cluster

from tests.support import waiting

ROOT = Path(__file__).parents[2]
_NODE = {
    # Ray takes 127.0.0.1 for a name of this machine, and puts its address in the network in place of that.
    "node_ip_address": "127.0.0.2",
    "num_cpus": 2,
    "object_store_memory": 80 << 20,
    "include_dashboard": False,
}
# Nobody is told of the cluster, and its processes import the service from here.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    # Else there would have to be a token in the home folder.
    "RAY_AUTH_MODE": "disabled",
    # A node that does not answer at all is lost after 1.5 seconds, one that is slow after 15.
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "5000",
    "RAY_health_check_failure_threshold": "3",
    "PYTHONPATH": str(ROOT),
}


@contextmanager
def two_nodes() -> Iterator["TwoNodes"]:
    """A cluster of a head and another node. Nothing of it runs afterwards."""
    # A short path, because there are sockets in it.
    folder = mkdtemp(prefix="ray-")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**_ENVIRONMENT, "RAY_TMPDIR": folder}.items():
            patch.setenv(name, value)
        nodes = TwoNodes()
        try:
            yield nodes
        finally:
            nodes.end()
            shutil.rmtree(folder)


class TwoNodes:
    """The cluster."""

    def __init__(self) -> None:
        self._cluster = Cluster(initialize_head=True, head_node_args=_NODE)
        self._other: Any = self._cluster.add_node(**_NODE)
        self._processes: set[psutil.Process] = set()

    @property
    def address(self) -> str:
        """Where a command connects to it."""
        return str(self._cluster.address)

    def actors_of_the_other(self) -> list[psutil.Process]:
        """The processes that embed on the node that is not the head."""
        return [process for process in _processes(self._other) if "Actor" in " ".join(process.cmdline())]

    def lose_the_other(self) -> None:
        """End the node that is not the head, as a loss of its power would."""
        lost = _processes(self._other)
        self._processes.update(lost)
        for process in lost:
            process.kill()
        self._cluster.remove_node(self._other, allow_graceful=False)

    def end(self) -> None:
        """End all processes of the cluster."""
        for node in self._cluster.list_all_nodes():
            self._processes.update(_processes(node))
        self._cluster.shutdown()
        waiting.until(lambda: not any(map(_runs, self._processes)))


def _processes(node: Any) -> list[psutil.Process]:
    """The processes of a node, those first that start the others."""
    started = [psutil.Process(each.process.pid) for kind in node.all_processes.values() for each in kind]
    return [*started, *(child for process in started for child in process.children(recursive=True))]


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
