"""The errors of the trainer, and the exit code that each gives a command.

TrainerError  1
├── BadData  2
├── NotBetter  3
├── Interrupted  130
├── DiskFull
├── ExtraMissing
└── ship.delivery.NotTaken

Every message tells the reader what to do next.
"""


class TrainerError(Exception):
    """Base of all errors that end a command with a message and without a traceback."""

    exit_code = 1


class BadData(TrainerError):
    """The data, a flag, or a file that a flag names cannot be used."""

    exit_code = 2


class NotBetter(TrainerError):
    """The gate did not promote the new model."""

    exit_code = 3


class Interrupted(TrainerError):
    """The run was stopped in the middle and can be resumed."""

    exit_code = 130


class DiskFull(TrainerError):
    """A file could not be written. Files that were complete before are still there."""


class ExtraMissing(TrainerError):
    """A package of the extra `trainer` is not installed, or is one with which the trainer does not work."""

    def __init__(self, error: ImportError) -> None:
        super().__init__(f"this command needs more packages ({error}): pip install 'instar[trainer]'")
