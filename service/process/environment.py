"""The environment variables that libraries read when they are loaded, and the values that the service wants.

The threads of these libraries spin for milliseconds while they wait for each other. On a busy machine they spin while
the thread that they wait for cannot run, and take a processor from threads that have work to do.
"""

import ctypes
import os
import sys
from collections.abc import MutableMapping

from service.machine import openmp

WANTED = {
    **openmp.SPIN_COUNT,
    # torch asks the driver's own library whether there is a GPU. If it asked CUDA, the children that try checkpoints
    # (service.machine.fork_server) could not use CUDA.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    # NumPy's OpenBLAS spins for longer than the time between two searches, and its computations here are short.
    "OPENBLAS_NUM_THREADS": "1",
}
# M_ARENA_MAX in glibc's malloc.h.
_ARENAS = -8
_LEAST_ARENAS = 4


def prepare(environment: MutableMapping[str, str]) -> None:
    """Set the variables in `environment`, except those that somebody has set."""
    for name, value in WANTED.items():
        environment.setdefault(name, value)


def limit_arenas() -> None:
    """Let glibc spread memory over as many arenas as there are processors, not eight times as many (mallopt(3)).

    Each checkpoint is loaded on a new thread, and so in another arena. With many arenas, repeated reloads hold more
    memory (docs/performance.md). MALLOC_ARENA_MAX in the environment goes before.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(_ARENAS, max(_LEAST_ARENAS, len(os.sched_getaffinity(0))))
