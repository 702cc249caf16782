"""`python ask.py BASE_URL CLIENT ...`: have each client embed the texts, and print the vectors; or OpenAI's `errors`.

A client of `rerank.py` scores documents, one of `feedback.py` sends a thumb. A line of JSON for each client holds its
answer or its failure. This runs in the environment of the clients, and needs nothing of this project. One process asks
them all, because what they import is mostly the same and takes long.
"""

import asyncio
import json
import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

TEXTS = ["How do I count my stock again?", "where is my parcel", "漢字 🙂"]
# What people have in their settings, and do not want to change.
MODEL = "text-embedding-ada-002"
KEY = "the key"

Vectors = list[list[float]]
# The class, the code, and whether there is a message.
Errors = list[tuple[str, str | None, bool]]


def openai(base_url: str) -> Vectors:
    from openai import OpenAI

    client = OpenAI(base_url=f"{base_url}/v1", api_key=KEY)
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve("active").id == "active"
    # It asks for base64 by itself, and for floats when told so.
    found = client.embeddings.create(model=MODEL, input=TEXTS)
    floats = client.embeddings.create(model=MODEL, input=TEXTS, encoding_format="float")
    assert found.usage.prompt_tokens == floats.usage.total_tokens > 0
    for one, other in zip(found.data, floats.data, strict=True):
        assert max(abs(a - b) for a, b in zip(one.embedding, other.embedding, strict=True)) < 1e-6
    assert len(client.embeddings.create(model=MODEL, input=TEXTS[0], dimensions=7).data[0].embedding) == 7
    return [item.embedding for item in found.data]


def openai_errors(base_url: str) -> Errors:
    from openai import APIStatusError, OpenAI

    client, wrong = (OpenAI(base_url=f"{base_url}/v1", api_key=key) for key in (KEY, "wrong"))
    asked: list[Callable[[], Any]] = [
        lambda: client.embeddings.create(model="another", input="text"),
        lambda: client.models.retrieve("another"),
        lambda: client.embeddings.create(model=MODEL, input=""),
        lambda: client.embeddings.create(model=MODEL, input="text", dimensions=100_000),
        lambda: client.embeddings.create(model=MODEL, input=[[90_000]]),
        wrong.models.list,
    ]
    found: Errors = []
    for ask in asked:
        try:
            ask()
        except APIStatusError as error:
            found.append((type(error).__name__, error.code, bool(error.body["message"])))
    return found


def openai_async(base_url: str) -> Vectors:
    from openai import AsyncOpenAI

    async def ask() -> Vectors:
        client = AsyncOpenAI(base_url=f"{base_url}/v1", api_key=KEY)
        found = await asyncio.gather(*(client.embeddings.create(model=MODEL, input=text) for text in TEXTS))
        return [each.data[0].embedding for each in found]

    return asyncio.run(ask())


def langchain_openai(base_url: str) -> Vectors:
    from langchain_openai import OpenAIEmbeddings

    # Otherwise it sends the ids of OpenAI's tokenizer.
    client = OpenAIEmbeddings(base_url=f"{base_url}/v1", api_key=KEY, model=MODEL, check_embedding_ctx_length=False)
    return [*client.embed_documents(TEXTS[:-1]), client.embed_query(TEXTS[-1])]


def llama_index_openai_like(base_url: str) -> Vectors:
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding

    client = OpenAILikeEmbedding(model_name=MODEL, api_base=f"{base_url}/v1", api_key=KEY)
    return [*client.get_text_embedding_batch(TEXTS[:-1]), client.get_query_embedding(TEXTS[-1])]


def litellm(base_url: str) -> Vectors:
    import litellm

    found = litellm.embedding(model=f"openai/{MODEL}", input=TEXTS, api_base=f"{base_url}/v1", api_key=KEY)
    return [item["embedding"] for item in found.data]


def huggingface_hub(base_url: str) -> Vectors:
    from huggingface_hub import InferenceClient

    client = InferenceClient(model=base_url, token=KEY)
    vectors = [client.feature_extraction(text, normalize=True)[0].tolist() for text in TEXTS]
    alike = client.sentence_similarity(TEXTS[0], other_sentences=TEXTS)
    assert [round(score, 4) for score in alike] == [
        round(sum(a * b for a, b in zip(vectors[0], vector, strict=True)), 4) for vector in vectors
    ]
    return vectors


def langchain_huggingface(base_url: str) -> Vectors:
    from huggingface_hub import InferenceClient
    from langchain_huggingface import HuggingFaceEndpointEmbeddings

    # It takes no address as its model, but a client of `huggingface_hub` that has one.
    client = HuggingFaceEndpointEmbeddings(model="any/model", huggingfacehub_api_token=KEY)
    client.client = InferenceClient(model=base_url, token=KEY)
    return [*client.embed_documents(TEXTS[:-1]), client.embed_query(TEXTS[-1])]


def llama_index_tei(base_url: str) -> Vectors:
    from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference

    # Its instructions are for other models, and put before the texts unless they are blank.
    client = TextEmbeddingsInference(
        model_name="any", base_url=base_url, auth_token=KEY, text_instruction=" ", query_instruction=" "
    )
    return [*client.get_text_embedding_batch(TEXTS[:-1]), client.get_query_embedding(TEXTS[-1])]


def haystack(base_url: str) -> Vectors:
    from haystack import Document
    from haystack.utils import Secret
    from haystack_integrations.components.embedders.huggingface_api import (
        HuggingFaceAPIDocumentEmbedder,
        HuggingFaceAPITextEmbedder,
    )

    options: dict[str, Any] = {
        "api_type": "text_embeddings_inference",
        "api_params": {"url": base_url},
        "token": Secret.from_token(KEY),
        # Otherwise it asks for vectors that are not.
        "normalize": True,
    }
    documents = HuggingFaceAPIDocumentEmbedder(**options).run([Document(content=text) for text in TEXTS[:-1]])
    query = HuggingFaceAPITextEmbedder(**options).run(TEXTS[-1])
    return [*(document.embedding for document in documents["documents"]), query["embedding"]]


CLIENTS: dict[str, Callable[[str], Vectors]] = {
    ask.__name__: ask
    for ask in (
        openai,
        openai_async,
        langchain_openai,
        llama_index_openai_like,
        litellm,
        huggingface_hub,
        langchain_huggingface,
        llama_index_tei,
        haystack,
    )
}

if __name__ == "__main__":
    from feedback import THUMBS
    from rerank import RERANKERS, answers

    uses: dict[str, Callable[[str], Any]] = {
        **CLIENTS,
        "errors": openai_errors,
        **THUMBS,
        **{name: partial(answers, reranker) for name, reranker in RERANKERS.items()},
    }
    for name in sys.argv[2:]:
        said: dict[str, Any] = {"client": name}
        try:
            said["answer"] = uses[name](sys.argv[1])
        except Exception:
            said["failure"] = traceback.format_exc()
        print(json.dumps(said), flush=True)
