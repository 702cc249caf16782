"""Langfuse's exports, `--format langfuse`: thumbs as scores, and the documents of retriever observations.

Three forms are read, alone or together: `observations` and `scores` of a trace that was downloaded, or a trace of the
API that has them; rows of the blob storage export (`traces`, `observations` or `observations_v2`, and `scores`), which
are joined by their trace id; and rows of the tables of traces and of observations, which have a column for each score.
Names come in camel case or with underscores. A thumb is a score that no evaluator gave, with a name like user-feedback
or thumbs, and with the value 1, 0 or -1, or a word like good or bad. Comments and scores of sessions are none.

The question is the input of the retriever, because that is what was searched for, or else the input of the trace.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from trainer.data.answers import Answer, Answers, Thumb
from trainer.data.collected import Collected
from trainer.data.lines import json_files, objects
from trainer.data.problems import Unusable, shown, text

Row = Mapping[str, Any]
_NAMES = {"feedback", "userfeedback", "humanfeedback", "userrating", "userscore", "thumb", "thumbs", "rating", "like"}
_WORDS: Mapping[str, Thumb] = {
    **dict.fromkeys(("good", "like", "liked", "up", "thumbsup", "positive", "helpful", "true"), "like"),
    **dict.fromkeys(("bad", "dislike", "disliked", "down", "thumbsdown", "negative", "nothelpful", "false"), "dislike"),
}
_TEXTS = ("page_content", "text", "content", "document", "chunk")
_LISTS = ("documents", "results", "sources", "context", "chunks", "nodes", "output")
_QUESTIONS = ("query", "question", "input", "prompt", "text", "content", "message", "messages")


@dataclass
class _Trace:
    """Everything that the export says of one trace. `searches` has the questions as the retriever got them."""

    location: str = ""
    questions: list[str] = field(default_factory=list)
    searches: list[str] = field(default_factory=list)
    response: str = ""
    sources: list[str] = field(default_factory=list)
    thumbs: list[Thumb] = field(default_factory=list)


def collect(path: Path, collected: Collected) -> None:
    """Read a file, or all files of a folder.

    Sources are matched to the documents that were collected before; without any, the sources become the corpus.
    """
    traces = defaultdict[str, _Trace](_Trace)
    passed_over = set[str]()
    for file in json_files(path):
        for location, row in objects(file, collected):
            with collected.row(location):
                _take(row, location, traces, passed_over)
    answers = Answers(collected)
    for trace in traces.values():
        with collected.row(trace.location):
            for answer in _answers(trace):
                answers.take(answer, trace.location)
    if passed_over:
        collected.note("scores", f"{', '.join(map(shown, sorted(passed_over)))}: not read as thumbs of users")


def _take(row: Row, location: str, traces: dict[str, _Trace], passed_over: set[str]) -> None:
    """Add a row, whichever of the forms it has, to its trace."""
    of_trace = _get(row, "traceId")
    if "value" in row or _get(row, "stringValue") is not None:
        if of_trace is None:
            passed_over.add(str(row.get("name") or ""))
        else:
            _score(row, location, traces[str(of_trace)], passed_over)
    elif of_trace is not None:
        _observation(row, location, traces[str(of_trace)])
    elif "id" in row and ("input" in row or "observations" in row or "scores" in row):
        trace = traces[str(row["id"])]
        trace.location = trace.location or location
        trace.questions += _question(row.get("input"))
        trace.response = _words(row.get("output"))
        for observation in _rows(row, "observations"):
            _observation(observation, location, trace)
        for score in _rows(row, "scores"):
            _score(score, location, trace, passed_over)
        _columns(row, trace)
    elif "observations" in row:
        # A download does not name its trace, and its parts do.
        for part in [*_rows(row, "observations"), *_rows(row, "scores")]:
            _take(part, location, traces, passed_over)
    else:
        raise Unusable("is no trace, observation or score: export traces with their observations, or all three tables")


def _score(row: Row, location: str, trace: _Trace, passed_over: set[str]) -> None:
    name, kind = str(row.get("name") or ""), str(_get(row, "dataType") or "").upper()
    if not _is_thumb(name) or str(row.get("source") or "").upper() == "EVAL" or kind in ("TEXT", "CORRECTION"):
        passed_over.add(name)
        return
    words = _get(row, "stringValue")
    trace.location = trace.location or location
    trace.thumbs.append(_thumb(row.get("value") if words in (None, "") else words, name))


def _observation(row: Row, location: str, trace: _Trace) -> None:
    trace.location = trace.location or location
    _columns(row, trace)
    if str(row.get("type") or "").upper() == "RETRIEVER" or "retriev" in str(row.get("name") or "").lower():
        trace.searches += _question(row.get("input"))
        trace.sources += _documents(row.get("output"))
    elif not _get(row, "parentObservationId"):
        # In the enriched export the first observation stands for its trace.
        trace.questions += _question(row.get("input"))
        trace.response = trace.response or _words(row.get("output"))


def _columns(row: Row, trace: _Trace) -> None:
    """Add the scores that a table has as columns. Every observation of a trace repeats those of the trace."""
    for name, values in row.items():
        if _is_thumb(name) and isinstance(values, list):
            trace.thumbs += [_thumb(value, name) for value in values]


def _answers(trace: _Trace) -> Iterator[Answer]:
    query = next(iter([*trace.searches, *trace.questions]), None)
    for thumb in dict.fromkeys(trace.thumbs):
        yield Answer(text(query, "the question"), trace.response, trace.sources, thumb)
    if not trace.thumbs:
        yield Answer("", trace.response, trace.sources, None)


def _thumb(value: Any, name: str) -> Thumb:
    if isinstance(value, str) and (thumb := _WORDS.get(_plain(value))):
        return thumb
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = None
    if number not in (1, 0, -1):
        raise Unusable(f"the score {shown(name)} is {shown(value)}, which is no thumb: make it 1, 0 or -1")
    return "like" if number == 1 else "dislike"


def _is_thumb(name: str) -> bool:
    return _plain(name) in _NAMES


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _get(row: Row, camel: str) -> Any:
    """A field by its name in camel case or with underscores."""
    snake = "".join(f"_{character.lower()}" if character.isupper() else character for character in camel)
    return row[camel] if row.get(camel) is not None else row.get(snake)


def _rows(row: Row, name: str) -> list[Row]:
    rows = row.get(name)
    if rows is None or isinstance(rows, dict):
        # The table of traces has an object of all scores here, whose values have columns of their own as well.
        return []
    if not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
        raise Unusable(f"{name} is {shown(rows)}, where a list of objects is needed")
    return rows


def _question(stored: Any) -> list[str]:
    """The question that an input is or holds: a string, the last message of a user, or a field that is named so."""
    value = _json(stored)
    if isinstance(value, str):
        return [value.strip()] if value.strip() else []
    if isinstance(value, list):
        asked = [message for message in value if isinstance(message, dict) and message.get("role") in ("user", "human")]
        return _question(asked[-1].get("content")) if asked else []
    if isinstance(value, dict):
        return next(filter(None, (_question(value[name]) for name in _QUESTIONS if name in value)), [])
    return []


def _documents(stored: Any) -> list[str]:
    """The texts that an output of a retriever is or holds."""
    value = _json(stored)
    if isinstance(value, list):
        texts = ([one] if isinstance(one, str) and one.strip() else _documents(one) for one in value)
        return list(chain.from_iterable(texts))
    if isinstance(value, dict):
        # LlamaIndex wraps each document into a node with a score.
        wrapped = value.get("node")
        inner: dict[str, Any] = wrapped if isinstance(wrapped, dict) else value
        for name in _TEXTS:
            if isinstance(inner.get(name), str) and inner[name].strip():
                return [text(inner[name], "the text of a document")]
        return next(filter(None, (_documents(value[name]) for name in _LISTS if name in value)), [])
    return []


def _words(stored: Any) -> str:
    return stored if isinstance(stored, str) else "" if stored is None else orjson.dumps(stored).decode()


def _json(stored: Any) -> Any:
    """The value, which tables hold as text. Text that only begins like JSON is itself."""
    if isinstance(stored, str) and stored.lstrip()[:1] in {"{", "[", '"'}:
        try:
            return orjson.loads(stored)
        except orjson.JSONDecodeError:
            return stored
    return stored
