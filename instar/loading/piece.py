"""The pieces of a file: texts below headings, or rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from instar.client.errors import InstarError


@dataclass(frozen=True, slots=True)
class Piece:
    """A text, and the headings above it, the highest first. A row of a table has an `identity` or `metadata`.

    One whose text is empty stands for a row without text: it makes no passage, and is counted.
    """

    headings: tuple[str, ...]
    text: str
    identity: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Unreadable(InstarError):
    """A file cannot be read. The message says why, and what to do."""
