"""The span of a batch is linked with those of the requests in it."""

from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any, cast

from service.models.dense import DenseEncoder
from service.models.scheduling.scheduler import Scheduler
from tests.models.test_scheduler import Recorder, text
from tests.support.traces import recorded, request_span


def test_a_batch_is_linked_with_all_its_requests() -> None:
    tracing, exporter = recorded()
    encoder = cast(DenseEncoder, Recorder())
    scheduler = Scheduler(
        batch_tokens=100, bulk_batch_tokens=50, queue_tokens=1000, queue_seconds=1000, processors=1, traced=tracing
    )
    futures: list[Future[Any]] = []
    futures.append(scheduler.submit(encoder, [text("of a request without a trace")], "interactive"))
    with request_span(tracing), ExitStack() as waiting:
        for name in ("one", "two"):
            waiting.enter_context(tracing.span("encode", {}))
            futures.append(scheduler.submit(encoder, [text(name)], "interactive"))
        scheduler.start()
        for future in futures:
            future.result(10)
    scheduler.stop()
    spans = exporter.get_finished_spans()
    requests = {span.context.span_id for span in spans if span.name == "encode"}
    batches = [span for span in spans if span.name == "batch"]
    assert batches
    assert {link.context.span_id for batch in batches for link in batch.links} == requests
    assert all(batch.parent is None for batch in batches)
