"""A command, and its answer: text for people, facts for programs (`--json`).

The answer goes to standard output, and progress goes to standard error.
"""

import re
import shlex
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic_settings import CliPositionalArg

# They are in no report, whoever may read it.
_SECRET = {"admin_key"}
# The name and the password of a URL.
_USER = re.compile(r"://[^/@\s]*@")
# The mark of a field that is an argument without a flag.
_POSITIONAL = frozenset(get_args(CliPositionalArg[str])[1:])


@dataclass(frozen=True)
class Answer:
    """The result of a command."""

    text: str
    facts: dict[str, JsonValue]
    exit_code: int = 0


class Command(BaseModel, ABC):
    """A command, with the flags that all commands have."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    as_json: bool = Field(False, alias="json", description="answer in JSON, and show no progress")
    allow_hub: bool = Field(False, description="let a Hugging Face name be downloaded")

    def spelled(self, name: str) -> str:
        """The command of that name as somebody has typed it, with what a file of settings said, and without keys."""
        fields = type(self).model_fields
        told = [field for field in fields if field in self.model_fields_set - _SECRET]
        places = [field for field in told if _POSITIONAL.issubset(fields[field].metadata)]
        words = ["instar", "train", name, *(_plain(getattr(self, field)) for field in places)]
        for field in sorted(set(told) - set(places)):
            flag, value = (fields[field].alias or field).replace("_", "-"), getattr(self, field)
            if isinstance(value, bool):
                words.append(f"--{flag}" if value else f"--no-{flag}")
            elif value is not None:
                words += [f"--{flag}", _plain(value)]
        return shlex.join(words)

    @abstractmethod
    def answer(self) -> Answer:
        """Run the command. Raises a TrainerError that says what is wrong and what to do."""


def _plain(value: object) -> str:
    """The value as it is typed, without the name and the password of a URL."""
    return _USER.sub("://", ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
