"""Rerankers as the packages that people have already call them: each scores the documents, and fails in its own way.

`ask.py` runs them in the environment of the clients. They need nothing of this project.
"""

from collections.abc import Callable
from typing import Any

QUERY = "How long do parcels take?"
DOCUMENTS = [
    "Shelves are filled at night.",
    "Parcels take two days.",
    "A parcel that was lost is paid for.",
    "Hold both buttons to reset the scale.",
]
# A name that people have in their settings, and do not want to change.
MODEL = "rerank-v3.5"
KEY = "the key"

# The place of each document and its score, best first.
Ranking = list[tuple[int, float]]
# It takes the address, the key and the query.
Reranker = Callable[[str, str, str], Ranking]


def answers(rerank: Reranker, base_url: str) -> dict[str, Any]:
    """The ranking, and the class and message of what is raised with a wrong key, and with an empty query."""
    return {
        "ranking": rerank(base_url, KEY, QUERY),
        "unauthorized": _failure(rerank, base_url, "wrong", QUERY),
        "empty": _failure(rerank, base_url, KEY, ""),
    }


def _failure(rerank: Reranker, base_url: str, key: str, query: str) -> tuple[str, str]:
    try:
        rerank(base_url, key, query)
    except Exception as error:
        return type(error).__name__, str(error)
    return "", ""


def cohere(base_url: str, key: str, query: str) -> Ranking:
    from cohere import ClientV2

    client = ClientV2(key, base_url=base_url)
    assert len(client.rerank(model=MODEL, query=query, documents=DOCUMENTS, top_n=2).results) == 2
    reranked = client.rerank(model=MODEL, query=query, documents=DOCUMENTS)
    return [(result.index, result.relevance_score) for result in reranked.results]


def cohere_first_version(base_url: str, key: str, query: str) -> Ranking:
    from cohere import Client

    client = Client(key, base_url=base_url)
    objects = [{"text": text} for text in DOCUMENTS]
    reranked = client.rerank(model=MODEL, query=query, documents=objects, return_documents=True, max_chunks_per_doc=3)
    for result in reranked.results:
        assert result.document.text == DOCUMENTS[result.index]
    return [(result.index, result.relevance_score) for result in reranked.results]


def langchain_cohere(base_url: str, key: str, query: str) -> Ranking:
    from langchain_cohere import CohereRerank
    from langchain_core.documents import Document

    client = CohereRerank(cohere_api_key=key, base_url=base_url, model=MODEL, top_n=len(DOCUMENTS))
    documents = [Document(text, metadata={"place": place}) for place, text in enumerate(DOCUMENTS)]
    reranked = client.compress_documents(documents, query)
    return [(document.metadata["place"], document.metadata["relevance_score"]) for document in reranked]


def llama_index_cohere(base_url: str, key: str, query: str) -> Ranking:
    from llama_index.postprocessor.cohere_rerank import CohereRerank

    return _of_llama_index(CohereRerank(api_key=key, base_url=base_url, model=MODEL, top_n=len(DOCUMENTS)), query)


def llama_index_jina(base_url: str, key: str, query: str) -> Ranking:
    from llama_index.postprocessor.jinaai_rerank import JinaRerank

    client = JinaRerank(api_key=key, base_url=f"{base_url}/v1", model=MODEL, top_n=len(DOCUMENTS))
    return _of_llama_index(client, query)


def llama_index_tei(base_url: str, key: str, query: str) -> Ranking:
    from llama_index.postprocessor.tei_rerank import TextEmbeddingInference

    # It sends the token as the whole header.
    client = TextEmbeddingInference(base_url=base_url, auth_token=f"Bearer {key}", top_n=len(DOCUMENTS))
    return _of_llama_index(client, query)


def _of_llama_index(client: Any, query: str) -> Ranking:
    from llama_index.core.schema import NodeWithScore, TextNode

    nodes = [NodeWithScore(node=TextNode(text=text, id_=str(place))) for place, text in enumerate(DOCUMENTS)]
    return [(int(node.node_id), node.score) for node in client.postprocess_nodes(nodes, query_str=query)]


def litellm_cohere(base_url: str, key: str, query: str) -> Ranking:
    return _of_litellm("cohere", base_url, key, query)


def litellm_jina(base_url: str, key: str, query: str) -> Ranking:
    return _of_litellm("jina_ai", base_url, key, query)


def litellm_huggingface(base_url: str, key: str, query: str) -> Ranking:
    return _of_litellm("huggingface", base_url, key, query)


def _of_litellm(provider: str, base_url: str, key: str, query: str) -> Ranking:
    import litellm

    reranked = litellm.rerank(
        model=f"{provider}/{MODEL}", query=query, documents=DOCUMENTS, api_base=base_url, api_key=key
    )
    # It asks for the documents unless told otherwise.
    for result in reranked.results:
        assert result["document"]["text"] == DOCUMENTS[result["index"]]
    return [(result["index"], result["relevance_score"]) for result in reranked.results]


def haystack(base_url: str, key: str, query: str) -> Ranking:
    from haystack import Document
    from haystack.utils import Secret
    from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker

    client = HuggingFaceTEIRanker(url=base_url, token=Secret.from_token(key))
    documents = [Document(id=str(place), content=text) for place, text in enumerate(DOCUMENTS)]
    reranked = client.run(query=query, documents=documents)["documents"]
    return [(int(document.id), document.score) for document in reranked]


RERANKERS: dict[str, Reranker] = {
    f"{rerank.__name__}_reranker": rerank
    for rerank in (
        cohere,
        cohere_first_version,
        langchain_cohere,
        llama_index_cohere,
        llama_index_jina,
        llama_index_tei,
        litellm_cohere,
        litellm_jina,
        litellm_huggingface,
        haystack,
    )
}
