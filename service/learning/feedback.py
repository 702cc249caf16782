"""Events of users become durable, if what they are about is there. All events of a request are stored, or none."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from service.corpus.base import Documents
from service.corpus.refusals import require_collection
from service.errors import InvalidRequest, NotFound
from service.learning.base import Event, FeedbackStore, LoggedSearch, SearchGone
from service.learning.ids import TimeOrderedIds, made
from service.learning.insights import Insights, Period
from service.learning.pseudonyms import Pseudonyms
from service.learning.search_log import FEEDBACK_HOURS, SearchLog
from service.learning.turns import Turns


@dataclass(frozen=True, slots=True)
class Place:
    """The place of an event or a search in its request: `prefix`, such as "events.3.", and the fields' `names` there.

    A field that `names` leaves out has its own name.
    """

    prefix: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """Return where the field stands, as errors say it."""
        return self.prefix + self.names.get(name, name)


@dataclass(frozen=True, slots=True)
class SentEvent:
    """An event as a client sends it: with the id of a search, or with a query and its collection.

    `user` and `session` are as the client names them. With `forgiving`, documents that are not there are left out of
    it.
    """

    place: Place
    action: str
    search: str | None
    query: str | None
    collection: str | None
    documents: Sequence[str]
    value: float | None
    note: str | None
    id: str | None
    at: datetime | None
    user: str | None
    session: str | None
    forgiving: bool = False


# Seconds in which a search that another replica has answered is waited for, and between two looks. The other one writes
# what has gathered for half a second.
_PATIENCE, _PAUSE = 1.0, 0.1
# A search that is older is not on its way, however much the clocks of the two differ.
_JUST_NOW = timedelta(seconds=10)

# Returns an event as it is taken, by the search that it names, if that is kept.
Resolved = Callable[[SentEvent, LoggedSearch | None], SentEvent]


class Feedback:
    """Takes events. Its calls wait for the disk: make them on a thread."""

    def __init__(
        self,
        store: FeedbackStore,
        search_log: SearchLog,
        documents: Documents,
        pseudonyms: Pseudonyms,
        note_change: Callable[[], None] = lambda: None,
        *,
        has_replicas: bool = False,
    ) -> None:
        """`note_change` is called when events have come or gone.

        With `has_replicas` a search may have been answered by another process, whose log writes it.
        """
        self._store = store
        self._search_log = search_log
        self._documents = documents
        self._pseudonyms = pseudonyms
        self._note_change = note_change
        self._has_replicas = has_replicas
        self._ids = TimeOrderedIds()
        # An event takes what it is about from its search. A user who is forgotten in between would leave it behind.
        self._turns = Turns()

    def take(self, sent: Sequence[SentEvent], key: str | None, resolved: Resolved = lambda event, _: event) -> int:
        """Store the events, which came with the key of that name, and return how many were there already.

        Each event is taken as `resolved` returns it. Raises NotFound, which names it, for a search or a document that
        is not there, InvalidRequest for one that does not fit its search, and StorageFailed or InsufficientResources
        if the disk fails. Nothing is stored then.
        """
        # Events without a user need no key, but if it is lost, the database has to go, and all that is in it.
        self._pseudonyms.load()
        while (repeated := self._take(sent, key, resolved)) is None:
            # Another process has removed a search meanwhile, perhaps with its user.
            pass
        self._note_change()
        return repeated

    def _take(self, sent: Sequence[SentEvent], key: str | None, resolved: Resolved) -> int | None:
        """Return how many were there already; None if nothing is stored because a search has gone meanwhile."""
        with self._turns.together():
            searches = self._named_by({event.search for event in sent if event.search is not None})
            events = [resolved(event, searches.get(event.search or "")) for event in sent]
            made_of = {search.id for search in searches.values()}
            try:
                return self._store.add([self._event(event, searches, key) for event in events], made_of)
            except SearchGone:
                return None

    def named(self, identities: Collection[str]) -> dict[str, LoggedSearch]:
        """Return, by its id or `query_id`, each search that is kept, also if it still waits to be written."""
        searches = self._store.named(identities)
        waiting = [identity for identity in identities if identity not in searches and made(identity) is not None]
        if waiting:
            self._search_log.flush()
            searches |= self._store.named(waiting)
        return searches

    def _named_by(self, identities: Collection[str]) -> dict[str, LoggedSearch]:
        """Return the searches that events name. One that another replica has just answered is waited for."""
        searches = self.named(identities)
        give_up = time.monotonic() + _PATIENCE
        while (awaited := self._on_their_way(identities, searches)) and time.monotonic() < give_up:
            time.sleep(_PAUSE)
            searches |= self._store.named(awaited)
        return searches

    def _on_their_way(self, identities: Collection[str], searches: Collection[str]) -> list[str]:
        if not self._has_replicas:
            return []
        absent = ((identity, made(identity)) for identity in identities if identity not in searches)
        now = datetime.now(UTC)
        return [identity for identity, at in absent if at is not None and abs(now - at) < _JUST_NOW]

    def searches(self, after: str | None, limit: int, showing: tuple[str, str] | None = None) -> list[LoggedSearch]:
        """Return up to `limit` searches, the latest first, from the one after the id `after` on.

        With a collection and a document's id in `showing`, only those that have shown this document.
        """
        self._search_log.flush()
        return self._store.searches(after, limit, showing)

    def count_showing(self, collection: str, document: str) -> int:
        """Count the searches that are listed by a document that they have shown."""
        self._search_log.flush()
        return self._store.count_showing(collection, document)

    def insights(self, period: Period) -> Insights:
        """Count what was asked and how it was judged, up to this moment."""
        self._search_log.flush()
        return self._store.insights(period)

    def forget(self, user: str) -> int:
        """Remove all that is known of a user, and return how many searches and events that was."""
        self._search_log.flush()
        try:
            with self._turns.alone():
                return self._store.forget(self._pseudonyms.user(user))
        finally:
            # Also if it fails: the events may be gone, and their texts still be in the file.
            self._note_change()

    def _event(self, sent: SentEvent, searches: Mapping[str, LoggedSearch], key: str | None) -> Event:
        search = None if sent.search is None else _search_of(sent, sent.search, searches)
        if search is not None:
            collection, query = search.collection, search.query
            shown = {result.document for result in search.results}
        else:
            collection, query, shown = sent.collection or "", sent.query or "", set()
            require_named(sent.place, self._documents, collection)
        documents = self._documents_there(sent, collection, shown)
        user = None if sent.user is None else self._pseudonyms.user(sent.user)
        session = None if sent.session is None else self._pseudonyms.session(sent.session)
        return Event(
            id=sent.id or self._ids.new(),
            at=sent.at or datetime.now(UTC),
            action=sent.action,
            collection=collection,
            query=query,
            documents=documents,
            search=search.id if search else None,
            value=sent.value,
            note=sent.note,
            key=key,
            # Who does not say who they are is whoever asked.
            user=user or (search.user if search else None),
            session=session or (search.session if search else None),
        )

    def _documents_there(self, sent: SentEvent, collection: str, shown: set[str]) -> tuple[str, ...]:
        """Return the documents that were shown by the search or are in the collection now.

        Raises NotFound for another one, unless the event is forgiving.
        """
        others = [document for document in sent.documents if document not in shown]
        present = self._documents.seqs_of(collection, others) if others else {}
        absent = [document for document in others if document not in present]
        if absent and not sent.forgiving:
            raise no_document_there(absent[0], collection, sent.place.of("document"))
        return tuple(document for document in sent.documents if document not in absent)


def _search_of(sent: SentEvent, identity: str, searches: Mapping[str, LoggedSearch]) -> LoggedSearch:
    search = searches.get(identity)
    # One of another collection is not to be told from one that is not there.
    if search is None or sent.collection not in (None, search.collection):
        raise no_search(identity, sent.place.of("search"), kept=made(identity) is not None)
    if sent.query not in (None, search.query):
        raise another_query(sent.place.of("query"))
    return search


def require_named(place: Place, documents: Documents, collection: str) -> None:
    """Raise NotFound, with the place in the request, unless there is such a collection."""
    try:
        require_collection(documents, collection)
    except NotFound as error:
        raise no_collection_there(collection, place.of("collection")) from error


def no_search(identity: str, param: str, *, kept: bool) -> NotFound:
    """There is no search with that id; `kept` says whether the log could have had it."""
    reason = (
        f"the log keeps a search for {FEEDBACK_HOURS} hours unless INSTAR_SEARCHES__KEEP says otherwise, and a crash"
        " loses those of its last half second"
        if kept
        else "its id is `search` in the answer of POST /search"
    )
    return NotFound(
        f"there is no search {identity[:80]!r}: {reason}; send query, collection and document in place of search", param
    )


def no_collection_there(name: str, param: str) -> NotFound:
    """There is no such collection. The names of the others are not for a key that may do nothing but send feedback."""
    return NotFound(f"there is no collection {name[:80]!r}: send the one that was searched", param)


def no_document_there(identity: str, collection: str, param: str) -> NotFound:
    """The collection has no document with that id, and the search has not shown one."""
    return NotFound(
        f"there is no document {identity[:80]!r} in the collection {collection[:80]!r}: send the id that a search of"
        " that collection has answered",
        param,
    )


def another_query(param: str) -> InvalidRequest:
    """The event has another query than its search."""
    return InvalidRequest("query is not that of the search: leave one of the two out", param)
