"""Records spans in this process."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from service.observability.tracing import Tracing


@contextmanager
def request_span(tracing: Tracing) -> Iterator[None]:
    """Within the block a request is traced, as FastAPI's instrumentation does it."""
    assert tracing.provider is not None
    with tracing.provider.get_tracer("fastapi").start_as_current_span("POST /search"):
        yield


def recorded() -> tuple[Tracing, InMemorySpanExporter]:
    """Tracing, and the exporter that receives its spans when they end."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider), exporter
