"""User Behavior Insights 1.3 (schema/1.3.0 in o19s/ubi), the open form of searches and events, as collectors send it.

The service reads it over HTTP and the trainer from files. Both take it for what this module says. Only the fields that
are read are named here; others may be there. Collectors write null or an empty text for what they do not know.
OpenSearch's plugin writes the names of a query's fields in another way to Data Prepper (`userQuery`).
"""

import hashlib
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from service.errors import InvalidRequest
from service.learning.base import INTERPRETED, MOST_RESULTS, LoggedSearch, Shown

# Actions of UBI, in small letters, and those of `service.learning.base` that they are. Any other is kept by its name.
ACTIONS = {
    **dict.fromkeys(("click", "click_through", "watch"), "click"),
    # Who takes a thing away found it of use, as who copies a text.
    **dict.fromkeys(("copy", "add_to_cart", "purchase"), "copy"),
    **dict.fromkeys(("good", "like", "thumbs_up"), "good"),
    **dict.fromkeys(("bad", "dislike", "thumbs_down"), "bad"),
    "cite": "cite",
    "dwell": "dwell",
    "impression": "impression",
}
# Another system has searched: it is none of the modes and none of the generations that there are here.
MODE = "ubi"
GENERATION = 0
_BULK_ACTIONS = ("index", "create")

_Name = Annotated[str, StringConstraints(max_length=100)]
_Id = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) and not isinstance(value, bool) else value),
    StringConstraints(max_length=256),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": 256}, {"type": "integer"}]}),
]
_QUERY = AliasChoices("user_query", "userQuery")
_Query = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
# The schema has times without a zone among its examples, and former versions have milliseconds since 1970.
_Moment = Annotated[
    datetime,
    AfterValidator(lambda moment: moment if moment.tzinfo else moment.replace(tzinfo=UTC)),
    WithJsonSchema({"type": ["string", "number"]}),
]


class _Part(BaseModel):
    # Others are passed over; OpenAPI has to say that they may be there.
    model_config = ConfigDict(json_schema_extra={"additionalProperties": True})

    @model_validator(mode="before")
    @classmethod
    def _without_nothing(cls, part: Any) -> Any:
        return {name: value for name, value in part.items() if value not in (None, "")} if _is_object(part) else part


class UbiQueryAttributes(_Part):
    """The attributes of a query that mean something here."""

    collection: str | None = Field(None, max_length=128, description="the collection that was searched")


class UbiQuery(_Part):
    """A query, and what was shown for it."""

    user_query: _Query = Field(validation_alias=_QUERY, description="the query as its user wrote it")
    query_id: _Name | None = Field(
        None, validation_alias=AliasChoices("query_id", "queryId"), description="its id, by which events name it"
    )
    client_id: _Name | None = Field(
        None, validation_alias=AliasChoices("client_id", "clientId"), description="who asked"
    )
    user_id: _Name | None = Field(None, description="who asked, if the application knows that better than by client_id")
    session_id: _Name | None = Field(None, description="the conversation")
    timestamp: _Moment | None = Field(
        None, description="when it was asked: ISO 8601, or milliseconds since 1970; default: now"
    )
    query_attributes: UbiQueryAttributes | None = Field(
        None,
        validation_alias=AliasChoices("query_attributes", "queryAttributes"),
        description="`collection`; others are passed over",
    )
    query_response_hit_ids: list[_Id] | None = Field(
        None,
        validation_alias=AliasChoices("query_response_hit_ids", AliasPath("queryResponse", "queryResponseHitIds")),
        description="ids of the documents that were shown, best first",
    )

    @property
    def user(self) -> str | None:
        return self.user_id or self.client_id

    @property
    def collection(self) -> str | None:
        return self.query_attributes.collection if self.query_attributes else None

    @property
    def hits(self) -> list[str]:
        """The documents that were shown, as far as a search is kept."""
        return (self.query_response_hit_ids or [])[:MOST_RESULTS]

    def shown(self, present: Container[str]) -> tuple[Shown, ...]:
        """The results, without documents that are not `present`, at the ranks that they had."""
        ranks = dict[str, int]()
        for rank, hit in enumerate(self.hits, 1):
            ranks.setdefault(hit, rank)
        return tuple(Shown(document, rank, 0.0) for document, rank in ranks.items() if document in present)

    def search(self, identity: str, collection: str, results: Sequence[Shown]) -> LoggedSearch:
        """The search that was answered with the results, of nobody in particular."""
        return LoggedSearch(
            id=identity,
            at=self.timestamp or datetime.now(UTC),
            collection=collection,
            query=self.user_query,
            mode=MODE,
            k=len(self.query_response_hit_ids or ()),
            generation=GENERATION,
            checkpoint="",
            results=results,
            query_id=self.query_id,
        )


class UbiObject(_Part):
    """The thing that an event is about."""

    object_id: _Id | None = Field(None, description="id of the document")


class UbiPosition(_Part):
    """The place at which the thing stood."""

    ordinal: StrictInt | None = Field(None, description="its place in the list")


class UbiEventAttributes(_Part):
    """The attributes of an event that mean something here."""

    object: UbiObject | None = Field(None, description="the document")
    position: UbiPosition | None = Field(
        None, description="the place of the document; it counts for `impression` alone"
    )
    dwell_time: StrictFloat | None = Field(
        None,
        allow_inf_nan=False,
        description="seconds; they count for `dwell` alone, because each collector means another time",
    )


class UbiEvent(_Part):
    """An event: what somebody did with the answer to a query."""

    action_name: _Name = Field(description="what was done")
    query_id: _Name | None = Field(None, description="id of a query, or `search` in the answer of POST /search")
    user_query: _Query | None = Field(None, description="the query, in place of an id or of one that is not known")
    client_id: _Name | None = Field(None, description="who did it; default: who asked")
    user_id: _Name | None = Field(None, description="who did it, if the application knows that better")
    session_id: _Name | None = Field(None, description="the conversation; default: that of the query")
    timestamp: _Moment | None = Field(
        None, description="when it happened: ISO 8601, or milliseconds since 1970; default: now"
    )
    message: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        None, description="what the user wrote, if it is a thumb; others are passed over"
    )
    event_attributes: UbiEventAttributes | None = Field(None, description="the document, and where it stood")

    @property
    def action(self) -> str:
        return ACTIONS.get(self.action_name.strip().lower(), self.action_name)

    @property
    def interpreted(self) -> bool:
        """Whether judgements are derived from it."""
        return self.action in INTERPRETED

    @property
    def user(self) -> str | None:
        return self.user_id or self.client_id

    @property
    def document(self) -> str | None:
        thing = self.event_attributes.object if self.event_attributes else None
        return thing.object_id if thing else None

    @property
    def value(self) -> float | None:
        """Seconds of `dwell`, the place of an `impression`."""
        attributes = self.event_attributes or UbiEventAttributes()
        if self.action == "dwell":
            return attributes.dwell_time
        ordinal = attributes.position.ordinal if attributes.position else None
        return float(ordinal) if self.action == "impression" and ordinal is not None else None

    @property
    def note(self) -> str | None:
        """The message of a thumb. Collectors put lines of their own into others, which name users."""
        return self.message if self.action in ("good", "bad") else None


def is_event(row: Mapping[str, Any]) -> bool:
    """Whether a row is an event."""
    return "action_name" in row


def is_query(row: Mapping[str, Any]) -> bool:
    """Whether a row is a query. Events may have the text of theirs, too."""
    return not is_event(row) and any(name in row for name in _QUERY.choices)


def is_bulk_action(line: Any) -> bool:
    """Whether a line only says what OpenSearch is to do with the next one, as in the files of its call _bulk."""
    return _is_object(line) and len(line) == 1 and any(_is_object(line.get(action)) for action in _BULK_ACTIONS)


def row_of(line: Any) -> Any:
    """The query or the event of a line: the line itself, or its `_source` if it is of an index."""
    return line.get("_source", line) if _is_object(line) else line


def content_id(row: Mapping[str, Any]) -> str:
    """An id for a row that has none, so that it counts once however often it is sent.

    Raises InvalidRequest if the row is nested too deeply.
    """
    try:
        content = orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise nested_too_deeply() from error
    return f"ubi-{hashlib.sha256(content).hexdigest()[:32]}"


def nested_too_deeply() -> InvalidRequest:
    """A row has objects in objects beyond reason."""
    return InvalidRequest("an object of UBI is nested over 250 levels deep: leave out attributes of your own")


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)
