"""`/`, `/health` and `/ready`: the state of the service, and its documentation."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict


class Status(TypedDict):
    """The service is well."""

    status: Annotated[str, Field(description="alive or ready")]


class About(TypedDict):
    """The service and its documentation."""

    service: Annotated[str, Field(description="always Instar")]
    version: Annotated[str, Field(description="version of the service")]
    documentation: Annotated[str, Field(description="path of the contract as a page")]
    openapi: Annotated[str, Field(description="path of the contract as an OpenAPI document")]
    ready: Annotated[str, Field(description="path of the answer whether requests are answered")]
    info: Annotated[str, Field(description="path of the answer which checkpoint runs")]
