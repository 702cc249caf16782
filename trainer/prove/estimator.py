"""Estimates means over queries, and how sure they are."""

from dataclasses import dataclass

from service import significance
from service.significance import Clusters, Floats, Marks
from trainer.prove.estimates import Difference, Estimate
from trainer.prove.metrics import PAIRS


@dataclass(frozen=True)
class Estimator:
    """Estimates means over the same n queries.

    `clusters` (n) gives queries that depend on each other one number. `has_bad` (n) marks the queries that have a bad
    document: the metric for pairs counts them alone. An equal `seed` repeats the resampling.
    """

    clusters: Clusters
    has_bad: Marks
    seed: int

    def estimate(self, metric: str, values: Floats) -> Estimate:
        """The mean of a metric's `values` (n)."""
        values, clusters = self._counted(metric, values)
        low, high = significance.interval(values, clusters, self.seed)
        return Estimate(value=float(values.mean()), low=low, high=high)

    def difference(self, metric: str, differences: Floats) -> Difference:
        """The mean of the `differences` (n) between two models' values."""
        differences, clusters = self._counted(metric, differences)
        low, high = significance.interval(differences, clusters, self.seed)
        return Difference(
            value=float(differences.mean()),
            low=low,
            high=high,
            p=significance.p_value(differences, clusters, self.seed),
            detectable=significance.detectable(differences, clusters),
        )

    def _counted(self, metric: str, values: Floats) -> tuple[Floats, Clusters]:
        return (values[self.has_bad], self.clusters[self.has_bad]) if metric == PAIRS else (values, self.clusters)
