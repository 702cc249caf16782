"""OpenTelemetry spans of the steps of a request. Without a provider nothing is recorded.

FastAPI makes the span of a request itself. Below it are `encode`, `search` and `fetch`. A batch holds texts of several
requests, so its span is in a separate trace, and it and the `encode` spans are linked both ways (OpenTelemetry
specification, "Links between spans").
"""

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NoOpTracerProvider, Span, StatusCode, TracerProvider

from service import __version__
from service.errors import InstarError

Attributes = Mapping[str, str | int]
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class TracingUnavailable(InstarError):
    """Traces are wanted, but the packages that send them are not installed."""


class Tracing:
    """Makes the spans of the service's own work."""

    def __init__(self, provider: TracerProvider | None = None, stop: Callable[[], None] = lambda: None) -> None:
        """Record with `provider`; `stop` sends the spans that it still holds and ends it."""
        self.provider = provider
        self._tracer = (provider or NoOpTracerProvider()).get_tracer("instar", __version__)
        self.stop = stop

    @contextmanager
    def span(self, name: str, attributes: Attributes) -> Iterator[None]:
        """Record the block as a part of the current request.

        Work outside of a recorded request, as in a reload, gets no span.
        """
        if not current().is_recording():
            yield
            return
        with self._started(name, attributes):
            yield

    @contextmanager
    def batch(self, spans: Iterable[Span], attributes: Attributes) -> Iterator[None]:
        """Record the block as a batch for the requests with those spans, unless none of them is recorded."""
        recorded = [span for span in spans if span.is_recording()]
        if not recorded:
            yield
            return
        links = [Link(span.get_span_context()) for span in recorded]
        with self._started("batch", attributes, Context(), links) as batch:
            for span in recorded:
                span.add_link(batch.get_span_context())
            yield

    @contextmanager
    def _started(
        self, name: str, attributes: Attributes, context: Context | None = None, links: Sequence[Link] = ()
    ) -> Iterator[Span]:
        """A span that records the class of an error, and not its message, which may quote a text."""
        with self._tracer.start_as_current_span(
            name, context, links=links, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except BaseException as error:
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise


def problem() -> str | None:
    """The sentence that says which packages are missing to send traces; None if they are installed."""
    installed = all(_installed(name) for name in _NEEDED)
    return None if installed else "INSTAR_TRACING needs more packages: pip install 'instar[tracing]'"


def exporting() -> Tracing:
    """Tracing that sends spans by OTLP over HTTP, as the environment says (`OTEL_*`, OpenTelemetry specification).

    Raises TracingUnavailable.
    """
    missing = problem()
    if missing is not None:
        raise TracingUnavailable(missing)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider as SdkTracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        # Neither OTEL_SERVICE_NAME nor OTEL_RESOURCE_ATTRIBUTES names the service.
        resource = resource.merge(Resource({SERVICE_NAME: "instar"}))
    provider = SdkTracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider, provider.shutdown)


def current() -> Span:
    """The current span; outside of every span, one that records nothing."""
    return trace.get_current_span()


def identity() -> dict[str, str]:
    """The ids by which log lines name the current span; empty outside of every span."""
    context = current().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": trace.format_trace_id(context.trace_id), "span_id": trace.format_span_id(context.span_id)}


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
