"""What every vector should be: computed by sentence-transformers from the checkpoints, without the service."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

Vector = NDArray[np.float32]


class Oracle:
    """Unit vectors by checkpoint id. `folders` are the checkpoints by id."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self._models = {identity: SentenceTransformer(str(path), device="cpu") for identity, path in folders.items()}
        self._known: dict[tuple[str, str, str], Vector] = {}

    @property
    def checkpoints(self) -> set[str]:
        return set(self._models)

    def documents(self, model: str, texts: Sequence[str]) -> list[Vector]:
        return self._vectors(model, "document", texts)

    def queries(self, model: str, texts: Sequence[str]) -> list[Vector]:
        return self._vectors(model, "query", texts)

    def _vectors(self, model: str, side: str, texts: Sequence[str]) -> list[Vector]:
        new = [text for text in dict.fromkeys(texts) if (model, side, text) not in self._known]
        if new:
            encoder = self._models[model]
            encode = encoder.encode_query if side == "query" else encoder.encode_document
            vectors = encode(new, normalize_embeddings=True, batch_size=256, show_progress_bar=False)
            self._known |= {(model, side, text): vector for text, vector in zip(new, vectors, strict=True)}
        return [self._known[model, side, text] for text in texts]
