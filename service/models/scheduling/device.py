"""The differences between processors and GPUs that matter to the forming of batches."""

from dataclasses import dataclass

from service.models.base import Lane


@dataclass(frozen=True, slots=True)
class Device:
    """A kind of device.

    `tokens` are the most in a batch of each lane, unless the settings say otherwise. `overhead` is the fixed cost of a
    batch, as the number of tokens that take as long. `batches` are computed at a time in each lane; 0: one on each
    processor.
    """

    tokens: dict[Lane, int]
    overhead: int
    batches: int


# Batches beyond which the rate of `make bench-budget` no longer grows; on a GPU no larger than a query can wait for.
PROCESSORS = Device({"interactive": 1024, "bulk": 512}, overhead=16, batches=0)
GPU = Device({"interactive": 8192, "bulk": 32_768}, overhead=4096, batches=2)


def device_for(*, on_gpu: bool) -> Device:
    """The kind of device that computes."""
    return GPU if on_gpu else PROCESSORS
