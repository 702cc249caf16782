"""Every observer may be told of everything, and metrics count it, whoever stands before them."""

from collections.abc import Callable

import pytest
from prometheus_client import generate_latest

from service.observability.metrics import Metrics
from service.observability.observer import Observer, Unobserved
from service.observability.steps import Step
from service.wiring.build import new_metrics
from tests.support.fault_points import FaultPoints

OBSERVERS: dict[str, Callable[[Metrics], Observer]] = {
    "metrics": lambda metrics: metrics,
    "unobserved": lambda _: Unobserved(),
    "fault points": lambda metrics: FaultPoints(metrics, lambda _: None),
}


def tell_all(observer: Observer) -> None:
    observer.step("write.committed")
    observer.answered("/search", "POST", 200, 0.01)
    observer.searched({"encode": 0.002, "search": 0.001})
    observer.batch("bulk", 512, 0.2, [0.1, 0.3])
    observer.reload_ended("refused")
    observer.shadow_compared(0.5, 0.01, 0.02)
    observer.shadow_skipped()


@pytest.mark.parametrize("name", OBSERVERS)
def test_metrics_count_what_their_observer_is_told(name: str) -> None:
    metrics = new_metrics()
    tell_all(OBSERVERS[name](metrics))
    lines = set(generate_latest(metrics.registry).decode().splitlines())
    counted = {
        'instar_requests_total{method="POST",route="/search",status="200"} 1.0',
        'instar_search_duration_seconds_count{step="encode"} 1.0',
        'instar_batch_tokens_sum{lane="bulk"} 512.0',
        'instar_queue_wait_seconds_count{lane="bulk"} 2.0',
        'instar_reloads_total{state="refused"} 1.0',
        'instar_shadow_searches_total{outcome="compared"} 1.0',
        'instar_shadow_searches_total{outcome="skipped"} 1.0',
        "instar_shadow_overlap_ratio_sum 0.5",
    }
    assert lines & counted == (set() if name == "unobserved" else counted)


def test_a_fault_comes_at_its_step_alone() -> None:
    def crash(step: Step) -> None:
        if step == "write.committed":
            raise MemoryError

    observer = FaultPoints(new_metrics(), crash)
    observer.step("write.embedded")
    with pytest.raises(MemoryError):
        observer.step("write.committed")
