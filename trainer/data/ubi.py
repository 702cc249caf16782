"""User Behavior Insights 1.3, `--format ubi`: what users of OpenSearch and others searched for, were shown and clicked.

A query has `user_query`, `query_id` and `query_response_hit_ids`, the documents in the order in which they were shown.
An event has `action_name`, `timestamp`, `query_id` and `event_attributes.object.object_id` (schema/1.3.0 in o19s/ubi).
Both lie in one file of JSON lines or in several of one folder, bare or as rows of an index with their `_source`.

The judgements are those that the service would derive (`service.learning.derive`), and weak. UBI does not say which
ranking showed a list, so the ranks are corrected by the assumed curve.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from service.learning.base import Event, Impressions
from service.learning.derive import derive
from trainer.data.collected import Collected
from trainer.data.dataset import Judgement
from trainer.data.lines import json_files, objects
from trainer.data.problems import Unusable, shown, string, text
from trainer.data.texts import content_id
from trainer.errors import BadData

_ACTIONS = {
    **dict.fromkeys(("click", "click_through", "watch"), "click"),
    # Who takes a thing away found it of use, as who copies a text.
    **dict.fromkeys(("copy", "add_to_cart", "purchase"), "copy"),
    **dict.fromkeys(("good", "like", "thumbs_up"), "good"),
    **dict.fromkeys(("bad", "dislike", "thumbs_down"), "bad"),
    "cite": "cite",
}


@dataclass
class _Log:
    """Everything that was read: queries and what each was shown, by its id, and events."""

    queries: dict[str, str] = field(default_factory=dict)
    shown: dict[str, tuple[str, ...]] = field(default_factory=dict)
    events: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)


def collect(path: Path, collected: Collected) -> None:
    """Read a file, or all files of a folder. Raises BadData without the documents, whose texts UBI does not have."""
    if not collected.corpus:
        raise BadData("the format ubi has ids of documents and no texts: name the documents with --corpus corpus.jsonl")
    log = _Log()
    for file in json_files(path):
        for location, row in objects(file, collected):
            with collected.row(location):
                _take(row.get("_source", row), location, log)
    events, passed_over = list[Event](), Counter[str]()
    for location, event in log.events:
        with collected.row(location):
            action = string(event["action_name"], "the action_name")
            if action.lower() in _ACTIONS:
                events.append(_event(event, _ACTIONS[action.lower()], log))
            else:
                passed_over[action] += 1
    _judge(events, log, collected)
    if passed_over:
        actions = ", ".join(f"{shown(action)} ({count:,})" for action, count in sorted(passed_over.items()))
        collected.note("events", f"actions that judge nothing: {actions}")


def _take(row: Any, location: str, log: _Log) -> None:
    if not isinstance(row, dict):
        raise Unusable(f"_source is {shown(row)}, where a JSON object is needed")
    if "action_name" in row:
        log.events.append((location, row))
    elif "user_query" in row:
        # A query without an id can have no events, but it was shown documents that nobody clicked.
        nameless = row.get("query_id") is None
        identity = f"{location} {len(log.queries)}" if nameless else string(row["query_id"], "the query_id")
        query = text(row["user_query"], "the user_query").strip()
        if log.queries.setdefault(identity, query) != query:
            raise Unusable(f"the query_id {shown(identity)} stands for another query before, which is kept")
        hits = row.get("query_response_hit_ids") or []
        if not isinstance(hits, list):
            raise Unusable(f"query_response_hit_ids is {shown(hits)}, where a list of ids is needed")
        log.shown[identity] = tuple(dict.fromkeys(_identity(hit, "a hit id") for hit in hits))
    else:
        raise Unusable("has neither a user_query nor an action_name, so it is neither a query nor an event of UBI")


def _event(row: Mapping[str, Any], action: str, log: _Log) -> Event:
    search = row.get("query_id")
    if search is not None and string(search, "the query_id") in log.queries:
        query = log.queries[search]
    elif row.get("user_query") is not None:
        search, query = None, text(row["user_query"], "the user_query").strip()
    else:
        raise Unusable(f"no query has the query_id {shown(search)}: give the file of queries as well")
    named = _object(_object(row, "event_attributes"), "object").get("object_id")
    documents = () if named is None else (_identity(named, "the object_id"),)
    user = row.get("user_id") or row.get("client_id")
    session = row.get("session_id")
    identity = content_id(orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode())
    return Event(
        identity,
        _moment(row.get("timestamp")),
        action,
        "",
        query,
        documents,
        search,
        user=None if user is None else str(user),
        session=None if session is None else str(session),
    )


def _judge(events: list[Event], log: _Log, collected: Collected) -> None:
    unknown = set[str]()
    for derived in derive(events, _impressions(events, log)):
        if derived.document not in collected.corpus:
            unknown.add(derived.document)
            continue
        judgement = Judgement(collected.query(derived.query), derived.document, good=derived.good, weak=True)
        # What was said and what was clicked may both judge a pair, and then agree.
        if not collected.knows(judgement):
            collected.judge(judgement)
    if unknown:
        examples = ", ".join(map(shown, sorted(unknown)[:3]))
        collected.note("object_id", f"{len(unknown):,} documents are not in the corpus, such as {examples}")


def _impressions(events: list[Event], log: _Log) -> Iterator[Impressions]:
    """How often each document was shown at each rank, clicked and skipped."""
    clicked = defaultdict[str, set[str]](set)
    for event in events:
        if event.action == "click" and event.search is not None:
            clicked[event.search].update(event.documents)
    counts = defaultdict[tuple[str, str, int], Counter[str]](Counter)
    for search, documents in log.shown.items():
        last = max((rank for rank, document in enumerate(documents, 1) if document in clicked[search]), default=0)
        for rank, document in enumerate(documents, 1):
            cell = counts[log.queries[search], document, rank]
            cell["shown"] += 1
            cell["clicked"] += document in clicked[search]
            cell["skipped"] += rank < last and document not in clicked[search]
    for (query, document, rank), cell in counts.items():
        yield Impressions("", query, document, 0, rank, cell["shown"], cell["clicked"], cell["skipped"])


def _object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object of that name, empty if it is missing."""
    value = holder.get(name)
    if value is not None and not isinstance(value, dict):
        raise Unusable(f"{name} is {shown(value)}, where a JSON object is needed")
    return value or {}


def _identity(value: Any, what: str) -> str:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else string(value, what)


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(string(value, "the timestamp"))
    except ValueError as error:
        raise Unusable(f"the timestamp is {shown(value)}, which is no time of ISO 8601") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
