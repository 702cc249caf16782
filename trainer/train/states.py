"""The saved states of a training: which one to resume from, and which are incomplete."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import EarlyStoppingCallback

from trainer.errors import DiskFull

# The file of a state that transformers writes last.
_LAST_FILE = "trainer_state.json"


@dataclass(frozen=True)
class Ended:
    """A training that has nothing left to learn: its `best` state, and what it has logged."""

    best: Path
    log: list[dict[str, float]]


@dataclass(frozen=True)
class States:
    """The folder of a training's states. With `resume`, the training goes on from the newest complete state."""

    folder: Path
    resume: bool

    def begin(self) -> Path | None:
        """The state to resume from, or None. Incomplete states are deleted, and all states if there is none to resume
        from."""
        state = self._newest() if self.resume else None
        for path in self.folder.glob("*") if state is None else self._broken():
            shutil.rmtree(path)
        return state

    def ended(self, state: Path, patience: int) -> Ended | None:
        """The training of `state`, if that has made all its steps or has come to the end of its `patience`.

        transformers would make a further step, and measure dev once more.
        """
        note: dict[str, Any] = json.loads((state / _LAST_FILE).read_text(encoding="utf-8"))
        stopping: dict[str, Any] = note["stateful_callbacks"].get(EarlyStoppingCallback.__name__, {})
        without_gain = stopping.get("attributes", {}).get("early_stopping_patience_counter", 0)
        if note["global_step"] < note["max_steps"] and without_gain < patience:
            return None
        best = self.folder / f"checkpoint-{note['best_global_step']}"
        return Ended(best, note["log_history"]) if best.is_dir() else None

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Within the block, a state that cannot be written is deleted, and DiskFull names the last good one."""
        try:
            yield
        except (OSError, SafetensorError, RuntimeError) as error:
            broken = self._broken()
            if not broken:
                raise
            for path in broken:
                shutil.rmtree(path)
            good = self._newest()
            remedy = "make room and start again"
            if good:
                remedy = f"the last good state is {good.name}: make room and go on with --resume"
            raise DiskFull(f"{broken[0].name} could not be written to {self.folder} ({error}); {remedy}") from error

    def _broken(self) -> list[Path]:
        return [path for path in self.folder.glob("checkpoint-*") if not _whole(path)]

    def _newest(self) -> Path | None:
        """The complete state with the highest step."""
        whole = [path for path in self.folder.glob("checkpoint-*") if _whole(path)]
        return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _whole(state: Path) -> bool:
    """Whether the state was written to its end: a kill or a full disk may cut its last file short."""
    try:
        json.loads((state / _LAST_FILE).read_bytes())
    except (OSError, ValueError):
        return False
    return True
