"""`/admin/history` and `/admin/log`: the last hour, and the last lines of the log."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field
from typing_extensions import TypedDict

Level = Literal["debug", "info", "warning", "error"]
LeastLevel = Annotated[Level, Query(description="only lines of this level and higher ones")]
MostLines = Annotated[int, Query(ge=1, le=500, description="most lines: the last ones")]


class HistoryAnswer(TypedDict):
    """The last hour, as a list for each thing, with a number for each interval."""

    seconds: Annotated[float, Field(description="length of an interval")]
    ended: Annotated[list[float], Field(description="end of each interval, in seconds since 1970, the oldest first")]
    requests: Annotated[list[int], Field(description="requests that were answered")]
    failures: Annotated[list[int], Field(description="requests that were answered with 500 or a higher status")]
    searches: Annotated[list[int], Field(description="searches that were answered")]
    search_p50: Annotated[
        list[float | None], Field(description="seconds in which half of them were, to 5%; null: there was none")
    ]
    search_p99: Annotated[list[float | None], Field(description="seconds in which 99 of 100 were, to 5%")]
    waiting_tokens: Annotated[dict[str, list[int]], Field(description="tokens that waited at its end, by lane")]
    encoded_tokens: Annotated[dict[str, list[int]], Field(description="tokens that were encoded in it, by lane")]
    memory: Annotated[list[int], Field(description="bytes of memory that the process had at its end")]
    disk_free: Annotated[list[int], Field(description="bytes that were free on the disk of the data folder")]


class LogLine(TypedDict):
    """A line of the log."""

    time: Annotated[datetime, Field(description="when it was written")]
    level: Annotated[str, Field(description="debug, info, warning, error or critical")]
    logger: Annotated[str, Field(description="the part of the service that wrote it")]
    message: Annotated[str, Field(description="its text; a traceback is in the log itself")]
    fields: Annotated[dict[str, str], Field(description="what belongs to it, such as the key of a change")]


class LogAnswer(TypedDict):
    """The last lines of the log."""

    lines: Annotated[
        list[LogLine], Field(description="the oldest first; texts are in them as `INSTAR_LOG__TEXTS` says")
    ]
