"""What can go wrong in the trainer, one class per kind, each with the exit code that says it.

Every message tells the reader what to do next.
"""


class TrainerError(Exception):
    """Base of all errors that end a command with a message and without a traceback."""

    exit_code = 1


class BadData(TrainerError):
    """The data, the settings or a file named in them cannot be used."""

    exit_code = 2


class NotBetter(TrainerError):
    """The gate did not promote the new model."""

    exit_code = 3


class Interrupted(TrainerError):
    """The run was stopped in the middle and can be resumed."""

    exit_code = 130


class DiskFull(TrainerError):
    """A file could not be written; what was complete before is still there."""
