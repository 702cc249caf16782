"""User Behavior Insights 1.3, `--format ubi`: what users of OpenSearch and others searched for, were shown and clicked.

Queries and events lie in one file of JSON lines or in several of one folder: bare, as rows of an index with their
`_source`, or as OpenSearch's call _bulk takes them. `service.learning.ubi` says what is read of them. A query without
`query_response_hit_ids` has shown what events of `impression` say.

The judgements are those that the service would derive (`service.learning.derive`), with their weights and sources. UBI
does not say which ranking showed a list, so the ranks are corrected by the assumed curve.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from service.errors import InvalidRequest
from service.learning.base import Derived, Event, Impressions, LoggedSearch
from service.learning.outcomes import Tally
from service.learning.ubi import UbiEvent, UbiQuery, content_id, is_bulk_action, is_event, is_query, row_of
from trainer.data.collected import Collected
from trainer.data.dataset import Judgement
from trainer.data.lines import json_files, objects
from trainer.data.problems import Unusable, shown
from trainer.errors import BadData

_Form = TypeVar("_Form", bound=BaseModel)


@dataclass
class _Log:
    """Everything that was read: searches by the id that events name, rows of events, and documents that are missing."""

    searches: dict[str, LoggedSearch] = field(default_factory=dict)
    events: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)


def collect(path: Path, collected: Collected) -> None:
    """Read a file, or all files of a folder. Raises BadData without the documents, whose texts UBI does not have."""
    # It loads numpy, and the help of commands, which lists this format, takes no time.
    from service.learning.derive import derive  # noqa: PLC0415

    if not collected.corpus:
        raise BadData("the format ubi has ids of documents and no texts: name the documents with --corpus corpus.jsonl")
    log = _Log()
    for file in json_files(path):
        for location, line in objects(file, collected):
            with collected.row(location):
                if not is_bulk_action(line):
                    _take(row_of(line), location, log, collected)
    events, passed_over = dict[str, Event](), Counter[str]()
    for location, row in log.events:
        with collected.row(location):
            form = _as(UbiEvent, row)
            if form.interpreted or form.action == "impression":
                event = _event(form, row, log)
                if form.document is not None and form.document not in collected.corpus:
                    log.absent.add(form.document)
                else:
                    events.setdefault(event.id, event)
            else:
                passed_over[form.action_name] += 1
    for derived in _verdicts(derive(events.values(), _impressions(log, events.values()))):
        query = collected.query(derived.query)
        collected.judge(Judgement(query, derived.document, derived.good, weight=derived.weight, source=derived.source))
    _note(log, passed_over, collected)


def _take(row: Any, location: str, log: _Log, collected: Collected) -> None:
    if not isinstance(row, dict):
        raise Unusable(f"_source is {shown(row)}, where a JSON object is needed")
    if is_event(row):
        log.events.append((location, row))
    elif is_query(row):
        query = _as(UbiQuery, row)
        # A query without an id can have no events, but it was shown documents that nobody clicked.
        identity = query.query_id or _content_id(row)
        search = replace(query.search(identity, "", query.shown(collected.corpus)), user=query.user)
        search = replace(search, session=query.session_id)
        if log.searches.setdefault(identity, search).query != search.query:
            raise Unusable(f"the query_id {shown(identity)} stands for another query before, which is kept")
        log.absent.update(hit for hit in query.hits if hit not in collected.corpus)
    else:
        raise Unusable("has neither a user_query nor an action_name, so it is neither a query nor an event of UBI")


def _event(form: UbiEvent, row: Mapping[str, Any], log: _Log) -> Event:
    if form.timestamp is None:
        raise Unusable("the timestamp is missing")
    search = log.searches.get(form.query_id or "")
    query = search.query if search else form.user_query
    if query is None:
        raise Unusable(f"no query has the query_id {shown(form.query_id)}: give the file of queries as well")
    return Event(
        _content_id(row),
        form.timestamp,
        form.action,
        "",
        query,
        () if form.document is None else (form.document,),
        search.id if search else None,
        form.value,
        # Who does not say who they are is whoever asked.
        user=form.user or (search.user if search else None),
        session=form.session_id or (search.session if search else None),
    )


def _impressions(log: _Log, events: Iterable[Event]) -> list[Impressions]:
    """How often each document was shown at each rank, clicked and skipped."""
    of_search = defaultdict[str | None, list[Event]](list)
    for event in events:
        of_search[event.search].append(event)
    tally = Tally()
    for search in log.searches.values():
        tally.add(search, of_search[search.id])
    return tally.impressions()


def _verdicts(judgements: Iterable[Derived]) -> Iterator[Derived]:
    """One for each pair: what was said and what was clicked are added up. They never contradict each other."""
    for _, group in groupby(judgements, lambda one: (one.query, one.document)):
        of_pair = list(group)
        heaviest = max(of_pair, key=lambda one: one.weight)
        yield replace(heaviest, weight=min(1.0, sum(one.weight for one in of_pair)))


def _note(log: _Log, passed_over: Counter[str], collected: Collected) -> None:
    if log.absent:
        examples = ", ".join(map(shown, sorted(log.absent)[:3]))
        collected.note("object_id", f"{len(log.absent):,} documents are not in the corpus, such as {examples}")
    if passed_over:
        actions = ", ".join(f"{shown(action)} ({count:,})" for action, count in sorted(passed_over.items()))
        collected.note("events", f"actions that judge nothing: {actions}")


def _as(form: type[_Form], row: Mapping[str, Any]) -> _Form:
    try:
        return form.model_validate(row)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise Unusable(f"{'.'.join(map(str, first['loc'])) or 'the row'}: {first['msg']}") from error


def _content_id(row: Mapping[str, Any]) -> str:
    try:
        return content_id(row)
    except InvalidRequest as error:
        raise Unusable(error.message) from error
