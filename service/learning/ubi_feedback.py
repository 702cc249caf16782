"""Searches and events of User Behavior Insights become kept searches and feedback.

A query is kept beside Instar's own searches, under an id of the same kind. Events name it by its `query_id`, as they
name a search of Instar by its id. The first query of a `query_id` counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.corpus.base import DEFAULT_COLLECTION, Documents
from service.errors import Conflict, InvalidRequest, NotFound
from service.learning.base import FeedbackStore, LoggedSearch
from service.learning.feedback import (
    Feedback,
    Place,
    SentEvent,
    no_document_there,
    require_named,
)
from service.learning.ids import TimeOrderedIds
from service.learning.pseudonyms import Pseudonyms
from service.learning.ubi import UbiQuery


@dataclass(frozen=True, slots=True)
class SentQuery:
    """A query as a collector sends it, with a `query_id`, and the collection that was searched."""

    place: Place
    query: UbiQuery
    collection: str


class UbiFeedback:
    """Takes queries and events of UBI. Its calls wait for the disk: make them on a thread."""

    def __init__(
        self, feedback: Feedback, store: FeedbackStore, documents: Documents, pseudonyms: Pseudonyms, *, keeps: bool
    ) -> None:
        """`keeps` says whether searches are kept at all."""
        self._feedback = feedback
        self._store = store
        self._documents = documents
        self._pseudonyms = pseudonyms
        self._keeps = keeps
        self._ids = TimeOrderedIds()

    def take_queries(self, sent: Sequence[SentQuery], key: str | None) -> int:
        """Keep the queries, which came with the key of that name, and return how many were there already.

        Raises Conflict if no searches are kept, NotFound if a collection is not there or has none of the documents that
        a query has shown, InvalidRequest for another query with a `query_id` that is there, and StorageFailed or
        InsufficientResources if the disk fails. None is kept then.
        """
        if not self._keeps:
            raise nothing_is_kept()
        kept = self._feedback.named({query.query.query_id or "" for query in sent})
        fresh = dict[str, LoggedSearch]()
        for query in sent:
            identity = query.query.query_id or ""
            former = fresh.get(identity) or kept.get(identity)
            if former is None:
                fresh[identity] = self._search(query, key)
            elif former.query != query.query.user_query:
                raise two_queries(identity, query.place.of("query"))
        # Another request may have brought one of them in the meantime.
        return len(sent) - len(fresh) + self._store.log(list(fresh.values()))

    def take_events(self, sent: Sequence[SentEvent], key: str | None) -> int:
        """Store the events, and return how many were there already.

        An event whose `query_id` is not known goes by its query. Raises NotFound for one without a query, and what
        `Feedback.take` raises. Nothing is stored then.
        """
        return self._feedback.take(sent, key, _resolved)

    def _search(self, sent: SentQuery, key: str | None) -> LoggedSearch:
        query = sent.query
        require_named(sent.place, self._documents, sent.collection)
        results = query.shown(self._documents.seqs_of(sent.collection, query.hits)) if query.hits else ()
        if query.hits and not results:
            raise no_document_there(query.hits[0], sent.collection, sent.place.of("documents"))
        user, session = query.user, query.session_id
        return replace(
            query.search(self._ids.new(), sent.collection, results),
            key=key,
            user=None if user is None else self._pseudonyms.user(user),
            session=None if session is None else self._pseudonyms.session(session),
        )


def _resolved(event: SentEvent, search: LoggedSearch | None) -> SentEvent:
    """Return the event as feedback: with its search, or else its query."""
    if event.search is None:
        return event
    if search is not None:
        return replace(event, query=None)
    if event.query is None:
        raise no_query(event.search, event.place.of("search"))
    return replace(event, search=None, collection=event.collection or DEFAULT_COLLECTION)


def nothing_is_kept() -> Conflict:
    """The service keeps no searches, so it keeps none of another system."""
    return Conflict(
        "no searches are kept here: set INSTAR_SEARCHES__KEEP, or send user_query with each event in place of queries"
    )


def two_queries(identity: str, param: str) -> InvalidRequest:
    """A `query_id` stands for two queries."""
    return InvalidRequest(
        f"the query_id {identity[:80]!r} stands for another user_query before: give each query an id of its own", param
    )


def no_query(identity: str, param: str) -> NotFound:
    """No query has that `query_id`, and no search that id."""
    return NotFound(
        f"there is no query {identity[:80]!r}: send it to POST /ubi/queries first and soon before, or send user_query"
        " with the event",
        param,
    )
