"""Messages about mistyped commands and flags, with the nearest right name, and about values that a flag refuses."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel

from trainer.errors import BadData


def check(commands: type[BaseModel], arguments: Sequence[str]) -> None:
    """Raise BadData, which suggests the nearest right name, for a command or flag that `commands` does not have."""
    if not arguments or arguments[0].startswith("-"):
        return
    models = {field.alias or name: get_args(field.annotation)[0] for name, field in commands.model_fields.items()}
    command, *rest = arguments
    if command not in models:
        raise BadData(f"there is no command {command}{_meant(command, list(models), '')}")
    fields = models[command].model_fields
    known = {(field.alias or name).replace("_", "-") for name, field in fields.items()}
    known |= {f"no-{name}" for name in known} | {"help", "help-all"}
    for argument in rest:
        name = argument.removeprefix("--").partition("=")[0]
        if argument.startswith("--") and name and name not in known:
            raise BadData(f"there is no --{name}{_meant(name, sorted(known), '--')} (see {command} --help-all)")


def describe(problem: Mapping[str, Any]) -> str:
    """A problem that pydantic found, as a line about its flag."""
    flag = "-".join(str(part) for part in problem["loc"][1:]).replace("_", "-") or "flags"
    message = problem["msg"]
    if problem["type"] == "string_pattern_mismatch":
        message = "use 1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit"
    return f"  --{flag}: {message}"


def _meant(name: str, known: Sequence[str], dashes: str) -> str:
    near = get_close_matches(name, known, 1)
    if near:
        return f": is {dashes}{near[0]} meant?"
    return f": use one of {', '.join(f'{dashes}{other}' for other in known)}"
