"""Spans are recorded for requests alone, name themselves in the log, and hold no text."""

import json
import logging

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan

from service.errors import EncodingFailed
from service.process.logs import Json
from tests.support.traces import recorded, request_span


def test_what_no_request_has_asked_for_is_not_recorded() -> None:
    tracing, exporter = recorded()
    with tracing.span("encode", {}), tracing.batch([trace.get_current_span()], {}):
        pass
    assert exporter.get_finished_spans() == ()


def test_a_line_within_a_span_names_it() -> None:
    tracing, exporter = recorded()
    record = logging.LogRecord("service.x", logging.INFO, __file__, 1, "said", None, None)
    assert "trace_id" not in json.loads(Json().format(record))
    with request_span(tracing), tracing.span("search", {}):
        said = json.loads(Json().format(record))
    span, _ = exporter.get_finished_spans()
    assert (said["trace_id"], said["span_id"]) == ids(span)


def ids(span: ReadableSpan) -> tuple[str, str]:
    return trace.format_trace_id(span.context.trace_id), trace.format_span_id(span.context.span_id)


def test_an_error_is_the_spans_without_its_words() -> None:
    tracing, exporter = recorded()
    with request_span(tracing), pytest.raises(EncodingFailed), tracing.span("encode", {}):
        raise EncodingFailed("the model fails on a secret text")
    span, _ = exporter.get_finished_spans()
    assert not span.status.is_ok
    assert "secret" not in span.to_json()
