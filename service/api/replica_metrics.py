"""Prometheus metrics of a replica: how far it follows the others, and how all of them are. One process has none."""

from collections.abc import Iterable
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.cluster.base import ClusterState, Overview
from service.generations.loaded import LoadedGenerations


class Follower(Protocol):
    """How far this replica has followed the changes of all."""

    @property
    def position(self) -> int: ...
    def age(self) -> float: ...


class Lead(Protocol):
    """The lead, as far as this process has taken it."""

    @property
    def epoch(self) -> int | None: ...


class ReplicaMetrics(Collector):
    """Reads the gauges of a replica. Those of all replicas are absent while the database cannot be reached."""

    def __init__(self, follower: Follower, generations: LoadedGenerations, overview: Overview, lead: Lead) -> None:
        self._follower = follower
        self._generations = generations
        self._overview = overview
        self._lead = lead

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(
            "instar_replica_lag_seconds",
            "Time since this replica had shown all changes of the others",
            value=self._follower.age(),
        )
        active = self._generations.active
        if active is not None:
            yield GaugeMetricFamily(
                "instar_replica_epoch", "The activation that this replica answers with", value=active.record.activation
            )
        state = self._overview.latest()
        if state is not None:
            yield from self._of_all(state)

    def _of_all(self, state: ClusterState) -> Iterable[Metric]:
        behind = max(0, state.position - self._follower.position)
        leads = state.lead_silent is not None and self._lead.epoch == state.epoch
        for name, meaning, value in (
            ("instar_replica_lag_changes", "Changes of all that this replica has not shown", behind),
            ("instar_replica_leads", "1 when this replica leads a reload or another change of generations", int(leads)),
            ("instar_alive_replicas", "Replicas that were heard of within 5 seconds", state.alive),
            ("instar_ready_replicas", "Replicas that are alive and answer", state.ready),
            ("instar_unfinished_reloads", "Reloads of all replicas that have not ended", state.unfinished),
        ):
            yield GaugeMetricFamily(name, meaning, value=value)
        # The server ends a lead that was silent for 15 seconds.
        silent = GaugeMetricFamily("instar_lead_silent_seconds", "Time since the last sign of life of whoever leads")
        if state.lead_silent is not None:
            silent.add_metric([], state.lead_silent)
        yield silent
