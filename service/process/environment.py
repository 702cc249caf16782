"""What libraries that compute read from the environment when they are loaded, and what the service wants there.

Their threads spin for milliseconds where they wait for each other. On a machine with anything else to do they spin
while the one that they wait for cannot run, and take a processor from those who have something to compute.
"""

import ctypes
import os
import sys
from collections.abc import MutableMapping

from service.machine import openmp

WANTED = {
    **openmp.SPIN_COUNT,
    # torch asks the driver's own library whether there is a GPU: once CUDA was asked, the children that try checkpoints
    # (service.machine.fork_server) could not use it.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    # OpenBLAS, for NumPy, spins for longer than the time between two searches. What it is asked for is short.
    "OPENBLAS_NUM_THREADS": "1",
}
# M_ARENA_MAX in glibc's malloc.h.
_ARENAS = -8
_LEAST_ARENAS = 4


def prepare(environment: MutableMapping[str, str]) -> None:
    """Put it there, unless somebody wants something else."""
    for name, value in WANTED.items():
        environment.setdefault(name, value)


def limit_arenas() -> None:
    """Let glibc spread memory over as many arenas as there are processors, not eight times as many (mallopt(3)).

    Each checkpoint is loaded on a new thread, and in another arena: with many of them a reload after another leaves
    more memory held (docs/performance.md). Who sets MALLOC_ARENA_MAX is obeyed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(_ARENAS, max(_LEAST_ARENAS, len(os.sched_getaffinity(0))))
