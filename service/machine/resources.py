"""Memory, disk and processors of the machine, so that a reload for which they do not suffice is refused beforehand."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from service.errors import InsufficientResources
from service.settings import EngineChoice

_CGROUP = Path("/sys/fs/cgroup")
# Memory that loading takes, as a multiple of the size of the weights. The engine converts the model and compiles it for
# all cores and twice for single ones (measured on all-MiniLM-L6-v2: 2.3), and so it does with int8 by groups (0.7
# more). For calibrated int8 there are two models (4.4 to 5.8).
_LOAD_FACTORS: dict[EngineChoice, float] = {"auto": 3.2, "torch": 2.5, "int8": 6.0}


def available_memory() -> int:
    """Bytes that this process may still take: those free on the machine, or in its control group (v2) if fewer."""
    on_machine = psutil.virtual_memory().available
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return on_machine
    return min(on_machine, limit - used)


def own_memory() -> int:
    """Bytes of memory that this process has (its resident set)."""
    return int(psutil.Process().memory_info().rss)


def processors() -> int:
    """Processors that this process may use: those of its affinity, or of its control group's quota if fewer."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = map(int, (_CGROUP / "cpu.max").read_text().split())
    except (OSError, ValueError):
        return allowed
    return max(1, min(allowed, quota // period))


def loading(checkpoint_size: int, engine: EngineChoice) -> int:
    """Bytes of memory that loading a checkpoint of that size for that engine takes."""
    return int(checkpoint_size * _LOAD_FACTORS[engine])


@dataclass(frozen=True, slots=True)
class Headroom:
    """Bytes that must stay free, whatever is loaded and stored: of memory, and of the disk that `folder` is on."""

    memory: int
    disk: int
    folder: Path

    def at(self, folder: Path) -> "Headroom":
        """The headroom of memory and of the disk where another `folder` is."""
        return replace(self, folder=folder)

    def require_memory(self, size: int) -> None:
        """Raise InsufficientResources unless `size` more bytes fit into the memory."""
        free = available_memory()
        if size + self.memory > free:
            raise InsufficientResources(
                f"{_mib(size + self.memory)} of memory are needed (with INSTAR_HEADROOM__MEMORY) and {_mib(free)} are"
                " free: free some, use a smaller checkpoint, or restart with INSTAR_RETAIN=0 to drop the former"
                " generations"
            )

    def require_disk(self, size: int) -> None:
        """Raise InsufficientResources unless `size` more bytes fit onto the disk."""
        free = shutil.disk_usage(self.folder).free
        if size + self.disk > free:
            raise InsufficientResources(
                f"{_mib(size + self.disk)} of disk are needed (with INSTAR_HEADROOM__DISK) and {_mib(free)} are free"
                f" where {self.folder.name}/ is: free some"
            )


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB"
