"""Sends the thumbs of DocsGPT's users to Instar, with the sources of the answers that they liked.

It reads `conversation_messages` in DocsGPT's PostgreSQL every few seconds, and sends events under the searches that
instar.py has noted with the sources of each answer. It writes nothing into DocsGPT. A thumb judges an answer as a
whole: a like counts for its sources, a dislike puts the question among those that are worth a person's look, and a
thumb that was removed is withdrawn.

An event has an id that is made of the message and its thumb, so that it counts once however often it is sent. What was
sent is noted in a small database, `--state`: without it everything is sent again, to no effect, except that thumbs
which were removed meanwhile stay. Needs psycopg and requests, which DocsGPT has.
"""

import argparse
import json
import logging
import os
import re
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
import requests

_LOG = logging.getLogger("instar-feedback")
_URI = re.compile(r"postgres(ql)?(\+\w+)?://")
_QUERY = (
    "SELECT id::text, conversation_id::text, user_id, sources, feedback, updated_at FROM conversation_messages"
    " WHERE (updated_at, id) > (%s, %s::uuid) ORDER BY updated_at, conversation_messages.id LIMIT 500"
)
_NO_ID = str(uuid.UUID(int=0))
# A row bears the time at which its transaction began, and appears when that ends.
_OVERLAP = timedelta(minutes=1)
# Without logins, every user of DocsGPT has this name.
_NOBODY = "local"
_ACTIONS = {"like": "good", "dislike": "bad", None: "withdraw"}
# Instar's own limits: documents of an event, and characters of a name.
_MAX_DOCUMENTS = 100
_MAX_NAME = 128
_SECONDS = (5, 60)
_LATER = (requests.codes.too_many_requests, *range(500, 600))
_NOT_ALLOWED = (requests.codes.unauthorized, requests.codes.forbidden)
_FIELD = re.compile(r"events\.(\d+)\.(\w+)")


class Unavailable(Exception):
    """Instar or the database cannot be reached now. The message says why."""


class Message(NamedTuple):
    """A row of `conversation_messages`."""

    id: str
    conversation: str
    user: str | None
    sources: Any
    feedback: Any
    updated: datetime


@dataclass(frozen=True)
class Search:
    """A search of Instar that an answer was made from; `id` is None if Instar keeps it no longer."""

    id: str | None
    query: str
    collection: str


@dataclass(frozen=True)
class Event:
    """An event, before it is written as Instar reads it. `thumb` tells apart thumbs that follow each other."""

    message: Message
    action: str
    search: Search
    documents: tuple[str, ...] = ()
    thumb: str = ""
    timed: bool = True

    def body(self) -> dict[str, Any]:
        """The event as Instar reads it."""
        search, message = self.search, self.message
        named = [message.id, self.action, search.id or f"{search.collection} {search.query}", self.thumb]
        body: dict[str, Any] = {
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, "\n".join([*named, *self.documents]))),
            "action": self.action,
            "session": message.conversation[:_MAX_NAME],
        }
        body |= {"search": search.id} if search.id else {"query": search.query, "collection": search.collection}
        if self.documents:
            body["documents"] = list(self.documents)
        if message.user and message.user != _NOBODY:
            body["user"] = message.user[:_MAX_NAME]
        if self.timed:
            body["at"] = message.updated.isoformat()
        return body


def thumb_of(feedback: Any) -> str | None:
    """like, dislike, or None if nobody rated the answer. Raises ValueError for anything else."""
    rating = _rating(feedback)
    if rating is None:
        return None
    if isinstance(rating, str) and rating.strip().lower() in ("like", "dislike"):
        return rating.strip().lower()
    raise ValueError(f"its feedback is {rating!r:.80}, which is neither like nor dislike")


def searches_of(sources: Any) -> dict[Search, list[str]]:
    """The searches that the sources were found by, each with the documents that it gave."""
    sources = _parsed(sources)
    searches: dict[Search, list[str]] = {}
    for source in sources if isinstance(sources, list) else []:
        noted = source.get("instar") if isinstance(source, dict) else None
        if not isinstance(noted, dict):
            # Of another store, of a web search, or of a time before the store noted its searches.
            continue
        identity = noted.get("search")
        search = Search(str(identity) if identity else None, str(noted.get("query")), str(noted.get("collection")))
        documents = searches.setdefault(search, [])
        if (document := str(noted.get("document"))) not in documents:
            documents.append(document)
    return searches


def events_of(message: Message) -> list[Event]:
    """The events that the thumb of a message means. Raises ValueError if it is no thumb."""
    thumb = thumb_of(message.feedback)
    # A thumb that was removed has left no time.
    stamp = stamp_of(message) or message.updated.isoformat()
    events: list[Event] = []
    for search, documents in searches_of(message.sources).items():
        if thumb == "like":
            portions = range(0, len(documents), _MAX_DOCUMENTS)
            events += [
                Event(message, "cite", search, tuple(documents[start : start + _MAX_DOCUMENTS])) for start in portions
            ]
        events.append(Event(message, _ACTIONS[thumb], search, thumb=stamp))
    return events


def stamp_of(message: Message) -> str:
    """A name of the thumb that those before it on this message did not have; "" if there is none."""
    # DocsGPT's own time is in it, and tells a like from the one before a dislike.
    return "" if _rating(message.feedback) is None else json.dumps(_parsed(message.feedback), sort_keys=True)


class Sent:
    """The thumbs that were sent, by message, and how far the table was read: a small database at `path`."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("CREATE TABLE IF NOT EXISTS thumbs (message TEXT PRIMARY KEY, stamp TEXT NOT NULL)")
        self._connection.execute("CREATE TABLE IF NOT EXISTS progress (one INTEGER PRIMARY KEY, updated TEXT NOT NULL)")

    def stamp(self, message: str) -> str:
        """The stamp of the thumb on the message that was sent last; "" if there was none, or it was withdrawn."""
        row = self._connection.execute("SELECT stamp FROM thumbs WHERE message = ?", (message,)).fetchone()
        return str(row[0]) if row else ""

    def note(self, message: str, stamp: str) -> None:
        """Note that the thumb with this stamp was sent."""
        self._connection.execute("INSERT OR REPLACE INTO thumbs VALUES (?, ?)", (message, stamp))

    @property
    def progress(self) -> datetime:
        """When the last row that was read had been updated."""
        row = self._connection.execute("SELECT updated FROM progress").fetchone()
        return datetime.fromisoformat(row[0]) if row else datetime(1970, 1, 1, tzinfo=UTC)

    @progress.setter
    def progress(self, updated: datetime) -> None:
        if updated > self.progress:
            self._connection.execute("INSERT OR REPLACE INTO progress VALUES (1, ?)", (updated.isoformat(),))

    def close(self) -> None:
        """Close the database."""
        self._connection.close()


class Instar:
    """Instar's route for feedback."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/") + "/feedback"
        self._session = requests.Session()
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def send(self, events: Sequence[Event]) -> int:
        """Send the events, and return how many arrived: those of what Instar no longer has are left out.

        Raises Unavailable if they can be sent later, PermissionError if the key is at fault, and ValueError if Instar
        refuses them for good.
        """
        while events:
            try:
                body = {"events": [event.body() for event in events]}
                response = self._session.post(self._url, json=body, timeout=_SECONDS)
            except requests.RequestException as error:
                raise Unavailable(f"Instar cannot be reached: {error}") from error
            if response.ok:
                return len(events)
            reason = _error(response)
            said = f"Instar answered {response.status_code}: {reason['message']}"
            if response.status_code in _LATER:
                raise Unavailable(said)
            if response.status_code in _NOT_ALLOWED:
                raise PermissionError(said)
            param = str(reason.get("param"))
            amended = _amended(events, param)
            if amended is None:
                # What does not speak of the events speaks of another program at this address.
                raise ValueError(said) if param.startswith("events") else Unavailable(said)
            events = amended
        return 0


def _amended(events: Sequence[Event], param: str) -> list[Event] | None:
    """The events without what Instar refuses at the place `param`; None if they cannot do without it."""
    place = _FIELD.fullmatch(param)
    if place is None or int(place[1]) >= len(events):
        return None
    refused, field = events[int(place[1])], place[2]
    if field == "search" and refused.search.id:
        # It is kept no longer, and its query and collection say as much.
        return list(_without_search(events, refused.search))
    if field in ("document", "documents") and refused.documents:
        # Others of these may still be there.
        apart = [replace(refused, documents=(document,)) for document in refused.documents]
        return [*(event for event in events if event is not refused), *(apart if len(apart) > 1 else [])]
    if field == "collection":
        return [event for event in events if event.search.collection != refused.search.collection]
    if field == "at" and refused.timed:
        # The clock of the database is ahead.
        return [replace(event, timed=False) for event in events]
    return None


def _without_search(events: Sequence[Event], search: Search) -> Iterator[Event]:
    for event in events:
        yield replace(event, search=replace(search, id=None)) if event.search == search else event


def forward(uri: str, instar: Instar, sent: Sent) -> int:
    """Send all thumbs that have changed, and return of how many messages any arrived.

    Raises Unavailable and PermissionError, as `Instar.send` does; what was sent before that is noted.
    """
    count, position = 0, (sent.progress - _OVERLAP, _NO_ID)
    try:
        with psycopg.connect(_URI.sub("postgresql://", uri), autocommit=True, connect_timeout=5) as connection:
            while rows := connection.execute(_QUERY, position).fetchall():
                messages = [Message(*row) for row in rows]
                count += sum(_forward_one(message, instar, sent) for message in messages)
                sent.progress = messages[-1].updated
                position = (messages[-1].updated, messages[-1].id)
    # Its message has no password.
    except psycopg.Error as error:
        raise Unavailable(f"DocsGPT's database cannot be read: {str(error).strip()}") from error
    return count


def _forward_one(message: Message, instar: Instar, sent: Sent) -> bool:
    """Send the thumb on a message if it is another than the last time; returns whether anything arrived."""
    stamp, arrived = stamp_of(message), 0
    if stamp == sent.stamp(message.id):
        return False
    try:
        arrived = instar.send(events_of(message))
    except ValueError as error:
        _LOG.warning("message %s is left out: %s", message.id, error)
    sent.note(message.id, stamp)
    return arrived > 0


def _rating(feedback: Any) -> Any:
    stored = _parsed(feedback)
    return stored.get("text") if isinstance(stored, dict) else stored


def _parsed(stored: Any) -> Any:
    """The value of JSON that may be stored as text; other text is itself."""
    if isinstance(stored, str):
        try:
            return json.loads(stored)
        except ValueError:
            return stored
    return stored


def _error(response: requests.Response) -> dict[str, Any]:
    """The error as Instar describes it; of anything else that answers, its text is the message."""
    try:
        error: dict[str, Any] = response.json()["error"]
        return {"message": response.text[:200], **error}
    except (ValueError, TypeError, KeyError):
        return {"message": response.text[:200]}


def main() -> None:
    """Run until it is stopped, or once."""
    parser = argparse.ArgumentParser(description="Send the thumbs of DocsGPT's users to Instar.")
    parser.add_argument(
        "--state", default="instar-feedback.db", help="where it notes what was sent; default: %(default)s"
    )
    parser.add_argument("--every", type=float, default=5, help="seconds between two looks; default: %(default)s")
    parser.add_argument("--once", action="store_true", help="look once, and end")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    missing = [name for name in ("POSTGRES_URI", "INSTAR_URL") if not os.environ.get(name)]
    if missing:
        parser.error(f"{' and '.join(missing)} must be set in the environment, as in DocsGPT's .env")
    instar = Instar(os.environ["INSTAR_URL"], os.environ.get("INSTAR_FEEDBACK_KEY", ""))
    with closing(Sent(arguments.state)) as sent:
        while True:
            try:
                if count := forward(os.environ["POSTGRES_URI"], instar, sent):
                    _LOG.info("sent the thumbs on %d answers", count)
            except Unavailable as error:
                if arguments.once:
                    raise SystemExit(str(error)) from error
                _LOG.warning("%s: trying again in %g seconds", error, arguments.every)
            except PermissionError as error:
                raise SystemExit(f"{error}: set INSTAR_FEEDBACK_KEY to a key with the scope feedback") from error
            if arguments.once:
                return
            time.sleep(arguments.every)


if __name__ == "__main__":
    main()
