"""Embedding libraries behind FastAPI: `python -m benchmarks.peers.libraries LIBRARY FOLDER PORT`.

It runs in an environment of the libraries. FOLDER has the model as the library reads it.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
_DIMENSIONS = 384

Embed = Callable[[Sequence[str]], Any]


class EmbeddingsRequest(BaseModel):
    """The part of OpenAI's request that matters."""

    input: str | list[str]
    model: str = ""


def fastembed(folder: Path) -> Embed:
    """fastembed on the ONNX file in the folder."""
    library: Any = importlib.import_module("fastembed")
    description: Any = importlib.import_module("fastembed.common.model_description")
    library.TextEmbedding.add_custom_model(
        model="local",
        pooling=description.PoolingType.MEAN,
        normalization=True,
        sources=description.ModelSource(hf="local"),
        dim=_DIMENSIONS,
        model_file="model.onnx",
    )
    model = library.TextEmbedding("local", specific_model_path=str(folder))
    return lambda texts: list(model.embed(texts))


def candding(_: Path) -> Embed:
    """candding (Candle), which finds the model in the cache of the hub."""
    library: Any = importlib.import_module("candding")
    model = library.TextEmbedding(_MODEL, device="cpu")
    return lambda texts: model.embed(list(texts))


_LIBRARIES: dict[str, Callable[[Path], Embed]] = {"fastembed": fastembed, "candding": candding}


def main() -> None:
    """Serve the library."""
    embed = _LIBRARIES[sys.argv[1]](Path(sys.argv[2]))
    app = FastAPI()

    @app.get("/health")
    def health() -> str:
        return "ok"

    @app.post("/embeddings")
    def embeddings(request: EmbeddingsRequest) -> dict[str, object]:
        texts = [request.input] if isinstance(request.input, str) else request.input
        data = [{"index": index, "embedding": vector.tolist()} for index, vector in enumerate(embed(texts))]
        return {"object": "list", "data": data, "model": request.model}

    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[3]), log_level="warning")


if __name__ == "__main__":
    main()
