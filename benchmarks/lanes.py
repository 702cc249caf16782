"""The service's encoder and its two lanes, with the service's settings and nothing around them."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import texts
from service.checkpoints import checkpoint
from service.machine import resources
from service.machine.children import InThisProcess
from service.models.encoder import Encoder, Prepared
from service.models.encoders import Encoders, Trials
from service.models.engines.base import Lane
from service.models.scheduling.scheduler import Scheduler
from service.settings import Settings
from service.settings.groups import Compute


@contextmanager
def running(folder: Path, **changed: Any) -> Iterator[tuple[Encoder, Scheduler]]:
    """An encoder of the checkpoint and a scheduler that runs within the block, with what of `Compute` is `changed`."""
    settings = Settings(compute=Compute(**changed))
    processors = settings.compute.cores or resources.processors()
    with tempfile.TemporaryDirectory() as engines:
        encoders = Encoders(
            settings.engine,
            Path(engines),
            processors,
            texts.passages,
            Trials(InThisProcess(), settings.compute.trial_seconds),
        )
        encoder = encoders.load(checkpoint.read(folder, folder.name))
    scheduler = Scheduler.suited(settings, processors)
    scheduler.start()
    try:
        yield encoder, scheduler
    finally:
        scheduler.stop()


def rate(encoder: Encoder, scheduler: Scheduler, items: Sequence[Prepared], lane: Lane) -> float:
    """Texts a second of one submission, after another has warmed the lane up."""
    scheduler.submit(encoder, items[:64], lane).result()
    began = time.perf_counter()
    scheduler.submit(encoder, items, lane).result()
    return len(items) / (time.perf_counter() - began)
