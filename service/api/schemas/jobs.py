"""`/admin/jobs`: reloads that were asked for."""

from typing import Annotated

from fastapi import Path
from pydantic import Field
from typing_extensions import TypedDict

from service.reload.job import Job

Identity = Annotated[str, Path(description="the job's id")]


class JobsAnswer(TypedDict):
    """The reloads that were asked for last."""

    jobs: Annotated[list[Job], Field(description="the newest first; only the first can be under way")]
