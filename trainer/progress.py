"""What is said to a person on the way: standard error, so that standard output holds the answer alone."""

import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from tqdm import tqdm
from transformers import TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ProgressCallback

# Between two lines about the same work in a file.
_SECONDS = "10"


def say(text: str, *, quiet: bool) -> None:
    """Print a line at once, unless it is a machine that listens."""
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def prepare() -> None:
    """Have progress bars that nobody watches print a line now and then. Call it before a bar is made."""
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_MININTERVAL", _SECONDS)
        tqdm.status_printer = staticmethod(_lines)  # type: ignore[assignment,method-assign]


def _lines(file: TextIO) -> Callable[[str], None]:
    """Prints each state of a bar as a line, where a terminal would have it replaced."""

    def show(state: str) -> None:
        if state.strip():
            print(state.strip(), file=file, flush=True)

    return show


class Epochs(ProgressCallback):
    """The bar of a training, and a line for each evaluation in place of the dictionaries of transformers."""

    def __init__(self, metric: str) -> None:
        super().__init__()
        self._metric = metric

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,  # noqa: ARG002
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Say how well the model ranks on dev."""
        if self.training_bar is not None and logs and self._metric in logs:
            epochs = f"epoch {logs.get('epoch', 0):.3g} of {args.num_train_epochs:g}"
            self.training_bar.write(
                f"{epochs}: nDCG@10 on dev {logs[self._metric]:.4f}{_best(state, logs, self._metric)}"
            )


def _best(state: TrainerState, logs: dict[str, Any], metric: str) -> str:
    former = [entry[metric] for entry in state.log_history if metric in entry and entry["step"] < state.global_step]
    return ", the best so far" if not former or logs[metric] > max(former) else ""
