"""A portion: documents that a process embeds and stores at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from service.corpus.base import Seqs
from service.models.windowing import Windowing

# Documents that are embedded and stored at a time. A crash loses the portions under way, and progress counts portions.
SIZE = 128
# Portions that a process has under way, so that the bulk lane has work while one is stored.
AT_A_TIME = 2


@dataclass(frozen=True, slots=True, eq=False)
class Portion:
    """Documents by their sequence numbers, ascending, all of which are cut into windows by `windowing`."""

    seqs: Seqs
    windowing: Windowing


def cut(seqs: Seqs, windowing: Windowing, size: int = SIZE) -> list[Portion]:
    """Cut ascending documents that are windowed alike into portions of up to `size`."""
    return [Portion(seqs[start : start + size], windowing) for start in range(0, len(seqs), size)]


# Embeds the documents of a portion, and stores their vectors.
EmbedPortion = Callable[[Portion], Awaitable[None]]
# Hears how many documents were embedded since it was called last.
Progress = Callable[[int], None]
# Has portions embedded, and returns when all of them are. An error of a portion ends it.
EmbedAll = Callable[[Sequence[Portion], EmbedPortion, Progress], Awaitable[None]]


async def embed_here(portions: Sequence[Portion], embed: EmbedPortion, progress: Progress) -> None:
    """Embed the portions in this process, one after another; `progress` hears how many documents each had."""
    room = asyncio.Semaphore(AT_A_TIME)

    async def embed_one(portion: Portion) -> None:
        try:
            await embed(portion)
            progress(len(portion.seqs))
        finally:
            room.release()

    try:
        async with asyncio.TaskGroup() as group:
            for portion in portions:
                await room.acquire()
                group.create_task(embed_one(portion))
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
