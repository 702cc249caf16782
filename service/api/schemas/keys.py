"""`/admin/keys`: keys that are listed, made and revoked."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.access.keyring import Limits, Scope
from service.api.schemas.base import BodyModel

KeyToRevoke = Annotated[str, Path(description="the name of the key")]
_SCOPES = (
    "what the key may do: embed, search, write and feedback open the routes of data; judge opens the queue of"
    " judgements, judgements in the key's own name, and searching; admin opens everything"
)


class KeyRequest(BodyModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        min_length=1,
        max_length=64,
        description="whose it is, as the audit log names it: letters, digits, '.', '_' and '-'",
    )
    scopes: list[Scope] = Field(min_length=1, description=_SCOPES)
    limits: Limits = Field(Limits(), description="the most that it may ask; no limit by default")
    close_service: bool = Field(
        False,
        description="whether a key is wanted that closes what is open to callers without one, as the first one does",
        strict=True,
    )


class ListedKey(TypedDict):
    """A key, without its token, which is stored nowhere."""

    name: Annotated[str, Field(description="whose it is")]
    scopes: Annotated[list[Scope], Field(description=_SCOPES)]
    limits: Annotated[Limits, Field(description="the most that it may ask")]
    source: Annotated[
        Literal["file", "settings"],
        Field(description="file: it was made and can be revoked; settings: it is a variable of the environment"),
    ]
    created: Annotated[datetime | None, Field(description="when it was made; null: it is one of the settings")]
    last_used: Annotated[datetime | None, Field(description="when it was used last; null: not since the last start")]
    revoked: Annotated[datetime | None, Field(description="when it was revoked; null: it is valid")]


class KeysAnswer(TypedDict):
    """All keys, and what needs none."""

    keys: Annotated[list[ListedKey], Field(description="those of the settings first, then the oldest first")]
    open: Annotated[
        list[Scope],
        Field(description="scopes that every caller has without a key; the first key that is made closes them"),
    ]


class MadeKey(TypedDict):
    """A new key, with its token."""

    token: Annotated[
        str, Field(description="the key to send; the service stores its hash alone, and cannot say it again")
    ]
    key: Annotated[ListedKey, Field(description="the key, as it is listed")]
