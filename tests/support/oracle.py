"""What every vector and every score should be: computed by sentence-transformers from the checkpoints themselves."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import CrossEncoder, SentenceTransformer
from tokenizers import Tokenizer

from service.checkpoints import checkpoint
from service.models.reranker import CrossEncoderReranker
from service.models.windowing import Splitter, Windowing, parts
from service.settings.groups import Windows

Vector = NDArray[np.float32]
_BATCH = 256


class Oracle:
    """Unit vectors by the id of an encoder, and scores by the id of a reranker."""

    def __init__(self, encoders: Mapping[str, Path], rerankers: Mapping[str, Path] | None = None) -> None:
        """`encoders` and `rerankers` are the folders of checkpoints, by their ids."""
        self._models = {identity: SentenceTransformer(str(path), device="cpu") for identity, path in encoders.items()}
        self._splitters = {identity: _splitter(path, self._models[identity]) for identity, path in encoders.items()}
        self._rerankers = {identity: _Judge(path) for identity, path in (rerankers or {}).items()}
        self._known: dict[tuple[str, str, str], Vector] = {}
        windows = Windows()
        self._windowing = Windowing(windows.overlap, windows.most)
        # tests/models/test_windowing.py holds the splitter to what windows have to be.
        self._windows = cache(self._cut)

    @property
    def checkpoints(self) -> set[str]:
        return set(self._models)

    @property
    def rerankers(self) -> set[str]:
        return set(self._rerankers)

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

    def relevances(self, reranker: str, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The scores of (query, text) by a reranker, each by the text's best window."""
        return self._rerankers[reranker].scores(pairs, self._windowing)

    def _cut(self, model: str, text: str) -> Sequence[str]:
        return parts(text, self._splitters[model].spans(text, self._windowing))

    def _vectors(self, model: str, side: str, texts: Sequence[str]) -> list[Vector]:
        new = [text for text in dict.fromkeys(texts) if (model, side, text) not in self._known]
        if new:
            encoder = self._models[model]
            encode = encoder.encode_query if side == "query" else encoder.encode_document
            vectors = encode(new, normalize_embeddings=True, batch_size=_BATCH, show_progress_bar=False)
            self._known |= {(model, side, text): vector for text, vector in zip(new, vectors, strict=True)}
        return [self._known[model, side, text] for text in texts]


class _Judge:
    """One cross-encoder, and the scores that it has given."""

    def __init__(self, folder: Path) -> None:
        self._model = CrossEncoder(str(folder), device="cpu")
        # tests/models/test_reranker.py holds its windows to what they have to be; nothing is computed by it here.
        self._cutting = CrossEncoderReranker(checkpoint.read(folder, folder.name))
        self._known: dict[tuple[str, str], float] = {}

    def scores(self, pairs: Sequence[tuple[str, str]], windowing: Windowing) -> list[float]:
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._known]
        if new:
            windows = [self._windows(query, text, windowing) for query, text in new]
            read = [(query, window) for (query, _), cut in zip(new, windows, strict=True) for window in cut]
            scores = self._model.predict(
                read, activation_fn=torch.nn.Sigmoid(), batch_size=_BATCH, show_progress_bar=False
            )
            best = np.maximum.reduceat(scores, np.cumsum([0, *(len(cut) for cut in windows[:-1])]))
            self._known |= dict(zip(new, map(float, best), strict=True))
        return [self._known[pair] for pair in pairs]

    def _windows(self, query: str, text: str, windowing: Windowing) -> Sequence[str]:
        (spans,) = self._cutting.pair_windows(query, [text], windowing)
        return parts(text, spans)


def _splitter(folder: Path, model: SentenceTransformer) -> Splitter:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    limit = model.max_seq_length
    assert limit is not None
    return Splitter(tokenizer, tokenizer, limit, "")
