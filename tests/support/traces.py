"""Spans that a test records in this process."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from service.observability.tracing import Tracing


@contextmanager
def asked(tracing: Tracing) -> Iterator[None]:
    """What FastAPI does around a request."""
    assert tracing.provider is not None
    with tracing.provider.get_tracer("fastapi").start_as_current_span("POST /search"):
        yield


def recorded() -> tuple[Tracing, InMemorySpanExporter]:
    """Tracing, and what receives the spans that end."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider), exporter
