"""The metrics of a running service."""

from prometheus_client.parser import text_string_to_metric_families

from tests.support.server import Server


def samples(server: Server) -> dict[str, list[tuple[dict[str, str], float]]]:
    """The (labels, value) pairs at /metrics, by the name of the metric."""
    by_name: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(server.client.get("/metrics").text):
        for sample in family.samples:
            by_name.setdefault(sample.name, []).append((sample.labels, sample.value))
    return by_name
