"""A job knows whether the generation that it was to lead to answers already."""

from datetime import UTC, datetime

from service.corpus.base import GenerationRecord
from service.reload.job import Job

MODEL = "two@0123456789ab"


def record(number: int, model: str = MODEL) -> GenerationRecord:
    return GenerationRecord(
        number=number, model=model, fingerprint="f", dimensions=4, state="retained", built=datetime.now(UTC)
    )


def test_a_reload_is_done_by_any_generation_of_its_checkpoint() -> None:
    job = Job(model="two", checkpoint=MODEL)
    assert job.is_done_by(record(3))
    assert not job.is_done_by(record(3, "one@0123456789ab"))
    assert not Job(model="two").is_done_by(record(3))


def test_a_rollback_is_done_by_the_generation_with_its_number_alone() -> None:
    job = Job.of_rollback(record(1), None)
    job.checkpoint = MODEL
    assert job.is_done_by(record(1))
    assert not job.is_done_by(record(3))
