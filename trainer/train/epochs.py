"""The progress bar of a training, and a line for each evaluation."""

from typing import Any

from transformers import TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ProgressCallback


class Epochs(ProgressCallback):
    """Prints a line for each evaluation. transformers would print a dictionary."""

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
        """Print how well the model ranks on dev."""
        if self.training_bar is not None and logs and self._metric in logs:
            epochs = f"epoch {logs.get('epoch', 0):.3g} of {args.num_train_epochs:g}"
            self.training_bar.write(
                f"{epochs}: nDCG@10 on dev {logs[self._metric]:.4f}{_best(state, logs, self._metric)}"
            )


def _best(state: TrainerState, logs: dict[str, Any], metric: str) -> str:
    former = [entry[metric] for entry in state.log_history if metric in entry and entry["step"] < state.global_step]
    return ", the best so far" if not former or logs[metric] > max(former) else ""
