"""A whole `DenseModel` without weights, which loads no library: a vector is eight numbers of a text's hash."""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from service.checkpoints.checkpoint import Checkpoint
from service.machine.arrays import Vectors
from service.models.base import Cores, Prepared, Side

DIMENSIONS = 8
_LONGEST = 32


class HashedModel:
    """Gives equal texts of a side equal vectors, and different texts nearly always different ones."""

    dimensions = DIMENSIONS
    packs = False
    yields = False
    overhead = 16
    engine = "hash"
    engine_reason = "it loads no library"

    def __init__(self, name: str = "hashed") -> None:
        digest = blake2b(name.encode()).hexdigest()
        self.checkpoint = Checkpoint(
            folder=Path(name),
            name=name,
            digest=digest,
            fingerprint=digest,
            files={},
            manifest=None,
            size=0,
            computed_size=0,
        )

    def part(self, item: Prepared) -> int:  # noqa: ARG002
        return 0

    def prepare(self, texts: Sequence[str], side: Side | None) -> list[Prepared]:
        split = [text.split()[:_LONGEST] for text in texts]
        return [Prepared((side, ""), " ".join(words), [0] * (len(words) + 2), len(words) + 2) for words in split]

    def forward(self, batch: Sequence[Prepared], cores: Cores) -> Vectors:  # noqa: ARG002
        rows = [blake2b(f"{self.checkpoint.id}|{item.side_and_prompt}|{item.text}".encode()).digest() for item in batch]
        return np.stack([np.frombuffer(row, np.uint8)[:DIMENSIONS] for row in rows]).astype(np.float32) + 1

    def finish(self, raw: Vectors, dimensions: int | None = None, *, normalize: bool = True) -> Vectors:
        cut = np.array(raw[:, : dimensions or self.dimensions], dtype=np.float32)
        if normalize:
            cut /= np.linalg.norm(cut, axis=1, keepdims=True)
        return cut
