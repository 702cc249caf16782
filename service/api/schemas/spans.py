"""Parts of texts in answers."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

# [start, end) in characters. An array with a length, because generators of clients know it better than a tuple.
Span = Annotated[Sequence[int], Field(min_length=2, max_length=2)]
