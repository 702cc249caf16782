"""Instar as a vector store of LlamaIndex: `pip install 'instar[llama-index]'`.

    store = InstarVectorStore("http://127.0.0.1:8080", collection="manual", key="...")
    index = VectorStoreIndex.from_vector_store(store, embed_model=MockEmbedding(embed_dim=1))
    nodes = index.as_retriever(similarity_top_k=4).retrieve(question)

It has no embeddings: Instar embeds what it stores and what is asked with one model, and replaces that model and the
index of all documents in one step. Nothing here changes then. LlamaIndex wants an embedding model all the same, and its
own `MockEmbedding` is one that computes nothing.

A node that was found has the id of its search in its metadata, `instar_search`, which feedback names:

    store.client.feedback({"action": "good", "search": node.metadata["instar_search"], "document": node.node_id})

Each method has its twin for asyncio, which holds no event loop up.
"""

from instar.client.calls import SEARCH
from instar.llama_index.store import InstarVectorStore

__all__ = ["SEARCH", "InstarVectorStore"]
