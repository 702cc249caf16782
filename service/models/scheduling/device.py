"""What processors and GPUs differ in, for whoever forms batches for them."""

from dataclasses import dataclass

from service.models.base import Lane


@dataclass(frozen=True, slots=True)
class Device:
    """A kind of device.

    `tokens` are the most in a batch of each lane, unless the settings say so. `overhead` is the time that a batch takes
    besides its tokens', as a number of tokens. `batches` are computed at a time in each lane; 0: one on each processor.
    """

    tokens: dict[Lane, int]
    overhead: int
    batches: int


# Where the rate of `make bench-budget` is flat; on GPUs as far as a query does not wait long behind a batch.
PROCESSORS = Device({"interactive": 1024, "bulk": 512}, overhead=16, batches=0)
GPU = Device({"interactive": 8192, "bulk": 32_768}, overhead=4096, batches=2)


def kind(*, on_gpu: bool) -> Device:
    """The kind of what computes."""
    return GPU if on_gpu else PROCESSORS
