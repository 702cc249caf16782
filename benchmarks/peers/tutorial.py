"""sentence-transformers behind FastAPI, as a tutorial would write it.

`python -m benchmarks.peers.tutorial FOLDER PORT`
"""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer


class EmbeddingsRequest(BaseModel):
    """The part of OpenAI's request that matters."""

    input: str | list[str]
    model: str = ""


def main() -> None:
    """Serve the model in the folder."""
    model = SentenceTransformer(sys.argv[1])
    app = FastAPI()

    @app.get("/health")
    def health() -> str:
        return "ok"

    @app.post("/embeddings")
    def embeddings(request: EmbeddingsRequest) -> dict[str, object]:
        texts = [request.input] if isinstance(request.input, str) else request.input
        vectors = model.encode(texts, normalize_embeddings=True)
        data = [{"index": index, "embedding": vector.tolist()} for index, vector in enumerate(vectors)]
        return {"object": "list", "data": data, "model": request.model}

    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")


if __name__ == "__main__":
    main()
