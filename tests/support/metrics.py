"""The metrics of a running service."""

from prometheus_client.parser import text_string_to_metric_families

from tests.support.server import Server

# Metrics of a replica, which a single process does not have.
OF_REPLICAS = {
    "instar_alive_replicas",
    "instar_lead_silent_seconds",
    "instar_ready_replicas",
    "instar_replica_epoch",
    "instar_replica_lag_changes",
    "instar_replica_lag_seconds",
    "instar_replica_leads",
    "instar_unfinished_reloads",
}


def samples(server: Server) -> dict[str, list[tuple[dict[str, str], float]]]:
    """The (labels, value) pairs at /metrics, by the name of the metric."""
    by_name: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(server.client.get("/metrics").text):
        for sample in family.samples:
            by_name.setdefault(sample.name, []).append((sample.labels, sample.value))
    return by_name
