"""`POST /feedback`: events, which say what users did with the answers to their searches."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticKnownError
from typing_extensions import TypedDict

from service.api.schemas.base import BodyModel, Number

MAX_DOCUMENTS = 100


def _only_text(value: Any) -> Any:
    """Refuse numbers, which pydantic takes for seconds since 1970."""
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return value


class FeedbackEvent(BodyModel):
    """An event: what a user did with an answer, or with some of its documents."""

    model_config = ConfigDict(extra="forbid")

    action: str = Field(
        pattern=r"^[a-z][a-z0-9_.:-]{0,63}$",
        description="good, bad: a judgement; withdraw: it is taken back; click, dwell (`value` seconds), copy: what was"
        " done with a document; cite: the documents that an answer used; any other name is kept and means nothing",
    )
    search: str | None = Field(
        None, min_length=1, max_length=128, description="`search` in the answer; without it `query` is needed"
    )
    query: str | None = Field(None, description="the query, if there is no search")
    collection: str | None = Field(
        None, min_length=1, max_length=128, description="its collection; default: `default`, or that of the search"
    )
    document: str | None = Field(
        None,
        min_length=1,
        description="id of the document; without one, good, bad and withdraw are about the whole answer",
    )
    documents: list[Annotated[str, Field(min_length=1)]] | None = Field(
        None, min_length=1, max_length=MAX_DOCUMENTS, description="ids of several documents, in place of `document`"
    )
    value: Number | None = Field(
        None, allow_inf_nan=False, description="seconds of dwell; a number that belongs to an action of your own"
    )
    user: str | None = Field(
        None, min_length=1, max_length=128, description="opaque name of the user; default: that of the search"
    )
    session: str | None = Field(
        None, min_length=1, max_length=128, description="opaque name of the conversation; default: that of the search"
    )
    id: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="id of the event, such as a new UUID: one that was sent before is counted and not stored again",
    )
    at: Annotated[AwareDatetime, BeforeValidator(_only_text)] | None = Field(
        None, description="when it happened, with a time zone; default: now"
    )
    note: str | None = Field(None, max_length=1024, description="what the user wrote")


class FeedbackRequest(BodyModel):
    """Several events, of which all are stored or none."""

    model_config = ConfigDict(extra="forbid")

    events: list[FeedbackEvent] = Field(min_length=1, description="the events")


class FeedbackAnswer(TypedDict):
    """Events that are durable."""

    accepted: Annotated[int, Field(description="events that are new")]
    repeated: Annotated[int, Field(description="events whose id was sent before; they are not stored again")]
