"""A command, and its answer: text for people, facts for machines (`--json`).

Answers go to standard output, and everything that is said on the way to standard error.
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
    """Flags that every command has."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    as_json: bool = Field(False, alias="json", description="answer in JSON, and show no progress")
    allow_hub: bool = Field(False, description="let Hugging Face names download")

    @abstractmethod
    def answer(self) -> Answer:
        """Run the command; raises a TrainerError that says what stood in the way."""
