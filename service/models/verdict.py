"""The outcome of a checkpoint's trial, kept on the disk so that no start repeats the trials of an earlier one."""

import platform
from hashlib import sha256
from pathlib import Path
from typing import Self

import openvino
import sentence_transformers
import torch
import transformers
from pydantic import BaseModel, ConfigDict, ValidationError

from service.checkpoints.checkpoint import Checkpoint
from service.machine.cache import Cache, CacheVersion
from service.models.configuration import Configuration
from service.settings import EngineChoice

_FILE = "verdict.json"
# Grows when trials look at more than before. The second kind measures speeds.
_TRIAL = 2
# After this many processes have ended while they loaded a configuration that had passed, it counts as the cause.
_MAX_ENDS = 2


class Rejection(BaseModel):
    """A configuration that does not suit, and the reason.

    A `passing` reason may not hold at the next start. A configuration that `crashed` may suit on one stream.
    """

    model_config = ConfigDict(frozen=True)

    configuration: Configuration
    reason: str
    passing: bool = False
    crashed: bool = False


class Verdict(BaseModel):
    """The configuration that suits (none: torch in fp32), its least cosine to torch, and those that do not suit.

    `pace` says what a faster configuration that might have suited, too, came to.
    `loading` counts the processes that began to load the configuration since one last finished loading it.
    """

    model_config = ConfigDict(frozen=True)

    configuration: Configuration | None = None
    agreement: float = 1.0
    pace: str = ""
    rejections: tuple[Rejection, ...] = ()
    loading: int = 0

    @property
    def reliable(self) -> bool:
        """Whether the service may load the configuration without another trial."""
        passing = any(rejection.passing for rejection in self.rejections)
        return not passing and (self.configuration is None or self.loading < _MAX_ENDS)

    @property
    def because(self) -> str:
        """The reasons of all rejections, each with the configurations that it costs."""
        costs: dict[str, list[str]] = {}
        for rejection in self.rejections:
            costs.setdefault(rejection.reason, []).append(str(rejection.configuration))
        return "; ".join(f"{' and '.join(names)} failed ({reason})" for reason, names in costs.items())

    def lasting(self) -> tuple[Rejection, ...]:
        """The rejections that the next trial starts with, a configuration whose loading ended processes included."""
        lasting = tuple(rejection for rejection in self.rejections if not rejection.passing)
        if self.configuration is None or self.loading < _MAX_ENDS:
            return lasting
        reason = f"the service ended {self.loading} times while it was loaded"
        return (*lasting, Rejection(configuration=self.configuration, reason=reason, crashed=True))

    def begun(self) -> Self:
        """The verdict while the configuration is being loaded."""
        return self.model_copy(update={"loading": self.loading + 1})

    def without_engine(self, reason: str) -> "Verdict":
        """This verdict with its configuration rejected, for a reason that may not hold at the next start."""
        if self.configuration is None:
            return self
        rejection = Rejection(configuration=self.configuration, reason=reason, passing=True)
        return Verdict(rejections=(*self.rejections, rejection))


class Verdicts:
    """Verdicts by checkpoint, in `cache`. Each holds for one choice of engine, one machine and its libraries."""

    def __init__(self, cache: Cache, choice: EngineChoice, processors: int) -> None:
        self._cache = cache
        self._choice = choice
        self._processors = processors

    def find(self, checkpoint: Checkpoint) -> Verdict | None:
        """The verdict on the checkpoint; None unless there is one that holds on this machine."""
        folder = self._cache.find(_name(checkpoint), self._version())
        if folder is None:
            return None
        try:
            return Verdict.model_validate_json((folder / _FILE).read_bytes())
        except (OSError, ValidationError):
            return None

    def keep(self, checkpoint: Checkpoint, verdict: Verdict) -> None:
        """Keep the verdict. If the disk fails, the next start tries the checkpoint once more."""

        def write(folder: Path) -> None:
            (folder / _FILE).write_text(verdict.model_dump_json(), encoding="utf-8")

        self._cache.keep(_name(checkpoint), self._version(), write)

    def _version(self) -> CacheVersion:
        return {
            "choice": self._choice,
            "trial": _TRIAL,
            "processors": self._processors,
            "machine": _machine(),
            "openvino": openvino.get_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "sentence-transformers": sentence_transformers.__version__,
        }


def _name(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.id}.verdict"


def _machine() -> str:
    """A hash of everything about the processor and the GPU that vectors may depend on."""
    parts = [platform.machine()]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        parts += list(dict.fromkeys(line for line in lines if line.startswith(("model name", "flags"))))
    except OSError:
        parts.append(platform.processor())
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return sha256("\n".join(parts).encode()).hexdigest()
