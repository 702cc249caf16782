"""Exports of other systems may hold anything: rows are read or reported, and nothing else is raised."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data import formats
from trainer.errors import BadData

DATA = Path(__file__).parents[3] / "support" / "data"
NAMES = [
    *("action_name", "user_query", "query_id", "event_attributes", "object", "object_id", "timestamp", "_source"),
    *("query_response_hit_ids", "user_id", "session_id", "id", "traceId", "trace_id", "name", "value", "stringValue"),
    *("input", "output", "observations", "scores", "type", "user-feedback", "messages", "role", "content", "query"),
    *("data", "rating", "meta", "message_id", "snapshot", "chat", "history", "annotation", "parentId", "sources"),
    *("document", "documents", "text", "node", "citations", "source"),
]
WORDS = ["click", "good", "assistant", "user", "RETRIEVER", "user-feedback", "1", "a", "", "[half", '{"query": "how"}']
PLAIN = st.none() | st.booleans() | st.integers(-1, 2) | st.floats(allow_nan=False) | st.sampled_from(WORDS)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
)
ROWS = st.lists(VALUES | st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8), max_size=5)


@pytest.mark.parametrize("name", ["ubi", "langfuse", "open-webui", "docsgpt"])
@settings(max_examples=100, deadline=None)
@given(rows=ROWS)
def test_any_json_is_read_or_reported(name: str, rows: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        path.write_text(json.dumps(rows))
        try:
            formats.load(path, name, skip_bad=True, corpus=DATA / "docsgpt_corpus.jsonl")
        except BadData as refused:
            assert "no judgement that can be used" in str(refused)  # noqa: PT017
