"""A command, and its answer: text for people, facts for programs (`--json`).

The answer goes to standard output, and progress goes to standard error.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, JsonValue


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

    @abstractmethod
    def answer(self) -> Answer:
        """Run the command. Raises a TrainerError that says what is wrong and what to do."""
