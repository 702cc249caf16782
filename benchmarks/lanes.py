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
from service.models.base import Lane, Prepared
from service.models.dense import DenseEncoder
from service.models.encoder_factory import EncoderFactory, Trials
from service.models.scheduling.scheduler import Scheduler
from service.models.torch_model import device_here
from service.settings import Settings


@contextmanager
def running(folder: Path, **changed: Any) -> Iterator[tuple[DenseEncoder, Scheduler]]:
    """An encoder of the checkpoint, and a scheduler that runs within the block. `changed` are settings."""
    settings = Settings(**changed)
    processors = settings.compute.cores or resources.processors()
    with tempfile.TemporaryDirectory() as engines:
        encoders = EncoderFactory(
            settings.engine,
            Path(engines),
            processors,
            texts.passages,
            Trials(InThisProcess(), settings.compute.trial_seconds),
        )
        encoder = encoders.load(checkpoint.read(folder, folder.name))
    scheduler = Scheduler.suited(settings, processors, device_here())
    scheduler.start()
    try:
        yield encoder, scheduler
    finally:
        scheduler.stop()


def rate(encoder: DenseEncoder, scheduler: Scheduler, items: Sequence[Prepared], lane: Lane) -> float:
    """Texts a second of one submission, after another one has warmed up the lane."""
    scheduler.submit(encoder, items[:64], lane).result()
    began = time.perf_counter()
    scheduler.submit(encoder, items, lane).result()
    return len(items) / (time.perf_counter() - began)
