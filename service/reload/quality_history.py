"""Figures of generations over time: measured by reloads, whose jobs are kept, and whenever somebody looked."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from service.corpus.base import Records
from service.generations.generation import Generation
from service.machine.writer import WritingThread
from service.reload.comparison import K
from service.reload.job import Job
from service.reload.outcomes import Summary
from service.search.retrieval import Mode

# Measurements that are kept, the latest ones, and reloads that are looked at.
_MOST = 500
_NOTE = "quality"


class Point(BaseModel):
    """The figures of a generation at a time."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    generation: int = Field(description="number of the generation")
    model: str = Field(description="id of its checkpoint")
    at: datetime = Field(description="when it was measured")
    source: Literal["reload", "measured"] = Field(
        description="reload: by the reload that made it; measured: because somebody asked for it"
    )
    mode: Mode = Field(description="mode of the searches")
    figures: Summary = Field(description="the figures, over the judged queries of that time")


_POINTS = TypeAdapter(list[Point])


class JobSource(Protocol):
    """The reloads of the past."""

    def latest(self, limit: int) -> Sequence[Job]:
        """Return the reloads that were asked for last, the newest first."""


class QualityHistory:
    """The points of all generations, which outlive the process. Of a generation, mode and day the last one is kept."""

    def __init__(self, records: Records, jobs: JobSource, thread: WritingThread) -> None:
        self._records = records
        self._jobs = jobs
        self._thread = thread

    async def note(self, generation: Generation, mode: Mode, at: datetime, figures: Summary) -> None:
        """Keep what was measured."""
        point = Point(
            generation=generation.number, model=generation.model, at=at, source="measured", mode=mode, figures=figures
        )
        await self._thread.run(partial(self._note, point))

    def points(self) -> list[Point]:
        """Return all points, the earliest first."""
        jobs = (point for job in self._jobs.latest(_MOST) if (point := _of_job(job)) is not None)
        return sorted([*self._noted(), *jobs], key=lambda point: point.at)

    def _note(self, point: Point) -> None:
        others = [other for other in self._noted() if _day(other) != _day(point)]
        self._records.save_note(_NOTE, _POINTS.dump_json([*others, point][-_MOST:]).decode())

    def _noted(self) -> list[Point]:
        note = self._records.note(_NOTE)
        return [] if note is None else _POINTS.validate_json(note)


def _day(point: Point) -> tuple[object, ...]:
    return point.generation, point.model, point.mode, point.at.date()


def _of_job(job: Job) -> Point | None:
    """Return the point of a reload that has measured what it activated; None for any other one."""
    judged = job.judged
    if judged is None or job.generation is None or job.checkpoint is None or job.kind != "dense":
        return None
    scores = judged.building
    return Point(
        generation=job.generation,
        model=job.checkpoint,
        at=job.ended or job.created,
        source="reload",
        mode=judged.mode,
        figures=Summary(
            queries=judged.queries,
            ndcg=scores.ndcg,
            ndcg_interval=scores.ndcg_interval,
            recall=scores.recall,
            recall_interval=scores.recall_interval,
            coverage=None if scores.unjudged is None else 1 - scores.unjudged / K,
        ),
    )
