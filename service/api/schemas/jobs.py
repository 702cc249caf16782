"""`/admin/jobs`: reloads, running and ended ones."""

from typing import Annotated

from fastapi import Path
from pydantic import Field
from typing_extensions import TypedDict

from service.reload.job import Job

Identity = Annotated[str, Path(description="the job's id")]


class JobsAnswer(TypedDict):
    """The latest reloads."""

    jobs: Annotated[list[Job], Field(description="the newest first; only the first one can be running")]
