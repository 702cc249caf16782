"""`python -m trainer`: parse, run the command, print its answer, and exit with a code that says how it went."""

import errno
import json
import logging
import os
import sys
from contextlib import redirect_stdout

from service.machine import openmp

# Libraries read these variables when they are imported.
_ENVIRONMENT = {**openmp.SPIN_COUNT, "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "true"}

# A module that is missing there is a fault of Instar's own.
_HOUSES = ("instar", "service", "trainer")


def main(arguments: list[str], program: str = "python -m trainer") -> int:
    """Run one command and return its exit code.

    0 done, 2 the data or a flag cannot be used, 3 the new model is not better, 130 stopped and resumable, 1 anything
    else that a message explains.
    """
    for variable, value in _ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    from pydantic import ValidationError  # noqa: PLC0415
    from pydantic_settings import get_subcommand  # noqa: PLC0415

    from trainer import flag_help, flags  # noqa: PLC0415
    from trainer.commands.command import Command  # noqa: PLC0415
    from trainer.commands.trainer import Trainer  # noqa: PLC0415
    from trainer.errors import BadData, DiskFull, ExtraMissing, Interrupted, TrainerError  # noqa: PLC0415
    from trainer.progress import prepare  # noqa: PLC0415

    prepare()
    for name in ("transformers", "sentence_transformers"):
        # These libraries log notices for authors of models. Users would take them for errors.
        logging.getLogger(name).setLevel(logging.ERROR)
    as_json = "--json" in arguments
    try:
        try:
            # Libraries print progress to standard output, but that is for the answer alone.
            asks = not arguments or not flag_help.ASKING.isdisjoint(arguments)
            with redirect_stdout(sys.stdout if asks else sys.stderr):
                flags.check(Trainer, arguments)
                parsed = Trainer(_cli_settings_source=flag_help.source(Trainer, arguments, program))
                command = get_subcommand(parsed, cli_exit_on_error=True)
                assert isinstance(command, Command)  # noqa: S101
                answer = command.answer()
        except ValidationError as error:
            wrong = "\n".join(map(flags.describe, error.errors()))
            raise BadData(
                f"these settings cannot be used:\n{wrong}\ncorrect them; --help-all says what each takes"
            ) from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            place = f", so {error.filename} was not written" if error.filename else ""
            raise DiskFull(
                f"the disk is full{place}: make room, and repeat the command, a run with --resume"
            ) from error
        except ImportError as error:
            if (error.name or "").partition(".")[0] in _HOUSES:
                raise
            raise ExtraMissing(error) from error
    except KeyboardInterrupt:
        print("stopped: repeat the command with --resume to go on", file=sys.stderr)
        return Interrupted.exit_code
    except TrainerError as error:
        print(
            json.dumps({"error": str(error)}) if as_json else f"error: {error}",
            file=sys.stdout if as_json else sys.stderr,
        )
        return error.exit_code
    print(json.dumps(answer.facts, indent=1) if as_json else answer.text)
    return answer.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
