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

# A key is in no report, whoever may read it. What a file of settings said is spelled itself, and may be changed.
_UNSPELLED = {"admin_key", "config"}
# The name and the password of a URL.
_USER = re.compile(r"://[^/@\s]*@")
# The mark of a field that is given without a flag.
_POSITIONAL = get_args(CliPositionalArg[str])[1]


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

    def spelled(self, name: str, **changes: JsonValue) -> str:
        """The command of that name as somebody could type it, with what a file of settings said, and without keys.

        `changes` are other values of its fields; None leaves one out.
        """
        told = self.model_dump(mode="json", include=self.model_fields_set - _UNSPELLED) | changes
        fields = {field: about for field, about in type(self).model_fields.items() if told.get(field) is not None}
        bare = [_plain(told[field]) for field, about in fields.items() if _POSITIONAL in about.metadata]
        flags: list[str] = []
        for field, about in sorted(fields.items()):
            if _POSITIONAL not in about.metadata:
                flags += _flag((about.alias or field).replace("_", "-"), told[field])
        # A file may be named as a flag is.
        looks_like_flag = any(word.startswith("-") for word in bare)
        arguments = [*flags, "--", *bare] if looks_like_flag else [*bare, *flags]
        return shlex.join(["instar", "train", name, *arguments])

    @abstractmethod
    def answer(self) -> Answer:
        """Run the command. Raises a TrainerError that says what is wrong and what to do."""


def _flag(name: str, value: JsonValue) -> list[str]:
    """The words that give a flag its value."""
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    plain = _plain(value)
    return [f"--{name}={plain}"] if plain.startswith("-") else [f"--{name}", plain]


def _plain(value: JsonValue) -> str:
    """A value as it is typed, without the name and the password of a URL."""
    return _USER.sub("://", ",".join(map(str, value)) if isinstance(value, list) else str(value))
