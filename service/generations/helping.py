"""How a replica embeds a part of what another one reloads, before it has a generation of its own to prepare."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from service.cluster.base import LentPortions
from service.generations.builder import Builder
from service.generations.canaries import Canaries
from service.generations.generation import Generation

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.25


class Helping:
    """Embeds what the process that leads lets this one embed."""

    def __init__(self, portions: LentPortions, builder: Builder, canaries: Canaries) -> None:
        self._portions = portions
        self._builder = builder
        self._canaries = canaries

    async def embed(self, generation: Generation, is_wanted: Callable[[], bool]) -> None:
        """Embed with the encoder of a new `generation` as long as that is wanted.

        It begins when the leader has stored some vectors. Raises CheckpointRefused if this process computes others.
        """
        embed = partial(self._builder.embed_portion, generation.encoder, generation.index)
        is_alike = False
        while is_wanted():
            is_alike = is_alike or await self._is_alike(generation)
            if is_alike:
                documents = await self._portions.embed_free(generation.index.fingerprint, embed)
                if documents:
                    log.info("%d documents were embedded for another replica", documents)
            await asyncio.sleep(_LOOK_EVERY)

    async def _is_alike(self, generation: Generation) -> bool:
        """Say whether vectors are stored that this process has compared with its own."""
        seqs = await self._portions.stored(generation.index.fingerprint)
        if seqs is None:
            return False
        await self._canaries.require_alike_among(generation, seqs)
        return True
