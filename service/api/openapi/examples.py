"""Examples of answers that several routes give."""

from datetime import UTC, datetime

from service.corpus.base import GenerationRecord
from service.reload.job import Job

MODEL = "all-MiniLM-L6-v2@386118f074db"
SEARCH_ID = "019acb11-7d41-7b0c-9f5e-3a1d2c4b5e6f"
FINGERPRINT = "aa4e0c3f6f0d1b7c"
_NOW = datetime(2026, 11, 23, 15, 15, 54, tzinfo=UTC)
JOB = Job(id="0b1fa1d2c3a94b5c8d7e6f5a4b3c2d1e", model="all-MiniLM-L6-v2-256", attempts=1, created=_NOW).model_dump(
    mode="json"
)
GENERATION = GenerationRecord(
    number=1,
    model=MODEL,
    fingerprint=FINGERPRINT,
    dimensions=384,
    documents=330,
    built=_NOW,
    activated=_NOW,
    state="active",
    activation=1,
).model_dump(mode="json", by_alias=True)
