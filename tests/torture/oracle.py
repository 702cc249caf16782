"""What every vector should be: computed by sentence-transformers from the checkpoints, without the service."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from service.models.windowing import Splitter, Windowing, parts
from service.settings.groups import Windows

Vector = NDArray[np.float32]


class Oracle:
    """Unit vectors by checkpoint id. `folders` are the checkpoints by id."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self._models = {identity: SentenceTransformer(str(path), device="cpu") for identity, path in folders.items()}
        self._splitters = {identity: _splitter(path, self._models[identity]) for identity, path in folders.items()}
        self._known: dict[tuple[str, str, str], Vector] = {}
        # tests/models/test_windowing.py holds the splitter to what windows have to be.
        self._windows = cache(self._cut)

    @property
    def checkpoints(self) -> set[str]:
        return set(self._models)

    def documents(self, model: str, texts: Sequence[str]) -> list[Vector]:
        return self._vectors(model, "document", texts)

    def queries(self, model: str, texts: Sequence[str]) -> list[Vector]:
        return self._vectors(model, "query", texts)

    def scores(self, model: str, query: str, texts: Sequence[str]) -> list[float]:
        """The cosines of documents with a query, each by its nearest window."""
        (vector,) = self.queries(model, [query])
        return [max(float(np.dot(vector, window)) for window in windows) for windows in self.windows(model, texts)]

    def windows(self, model: str, texts: Sequence[str]) -> list[list[Vector]]:
        """The vectors of the windows of each text, of which a short one has one."""
        cut = [self._windows(model, text) for text in texts]
        self.documents(model, [window for windows in cut for window in windows])
        return [self.documents(model, windows) for windows in cut]

    def _cut(self, model: str, text: str) -> Sequence[str]:
        windows = Windows()
        return parts(text, self._splitters[model].spans(text, Windowing(windows.overlap, windows.most)))

    def _vectors(self, model: str, side: str, texts: Sequence[str]) -> list[Vector]:
        new = [text for text in dict.fromkeys(texts) if (model, side, text) not in self._known]
        if new:
            encoder = self._models[model]
            encode = encoder.encode_query if side == "query" else encoder.encode_document
            vectors = encode(new, normalize_embeddings=True, batch_size=256, show_progress_bar=False)
            self._known |= {(model, side, text): vector for text, vector in zip(new, vectors, strict=True)}
        return [self._known[model, side, text] for text in texts]


def _splitter(folder: Path, model: SentenceTransformer) -> Splitter:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    limit = model.max_seq_length
    assert limit is not None
    return Splitter(tokenizer, tokenizer, limit, "")
