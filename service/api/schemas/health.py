"""`/`, `/health` and `/ready`: whether the service lives, and where its documentation is."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict


class Status(TypedDict):
    """All is well."""

    status: Annotated[str, Field(description="alive or ready")]


class About(TypedDict):
    """The service, and where its documentation is."""

    service: Annotated[str, Field(description="always Instar")]
    version: Annotated[str, Field(description="of the service")]
    documentation: Annotated[str, Field(description="path of the contract as a page")]
    openapi: Annotated[str, Field(description="path of the contract as an OpenAPI document")]
    ready: Annotated[str, Field(description="path that says whether requests are answered")]
    info: Annotated[str, Field(description="path that says what runs")]
