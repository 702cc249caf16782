"""What the encoder does with the service's bulk batches and nothing else, in documents per second.

A command of its own (`python -m benchmarks.alone FOLDER DOCUMENTS`), so that it can be run with the environment of the
service.
"""

import sys
import tempfile
import time
from pathlib import Path

from benchmarks import texts
from service import checkpoint, resources
from service.encoder.encoders import Encoders
from service.encoder.scheduler import Scheduler
from service.settings import Settings


def main() -> None:
    """Measure the checkpoint in the folder and print the figure."""
    folder, documents = Path(sys.argv[1]), int(sys.argv[2])
    settings = Settings()
    processors = settings.processors or resources.processors()
    scheduler = Scheduler(
        processors=processors,
        batch_tokens=settings.batch_tokens,
        bulk_batch_tokens=settings.bulk_batch_tokens,
        queue_tokens=settings.queue_tokens,
        queue_seconds=settings.queue_seconds,
    )
    with tempfile.TemporaryDirectory() as engines:
        encoder = Encoders(settings.engine, Path(engines), processors).load(checkpoint.read(folder, folder.name))
    items = encoder.prepare(texts.passages(documents), "document")
    scheduler.start()
    scheduler.submit(encoder, items[:64], "bulk").result()
    began = time.perf_counter()
    scheduler.submit(encoder, items, "bulk").result()
    print(documents / (time.perf_counter() - began))
    scheduler.stop()


if __name__ == "__main__":
    main()
