"""`python generated.py BASE_URL`: use `instar_client`, which was generated from the service's OpenAPI document.

It runs in the environment of the clients, with that package on its path. Whatever is not as it should be raises.
"""

import sys
import time
from io import BytesIO
from typing import Any

from instar_client import AuthenticatedClient
from instar_client.api.admin import follow_job, list_generations, read_job, reload, rollback, take_backup
from instar_client.api.documents import (
    delete_document,
    delete_documents,
    list_documents,
    read_document,
    write_documents,
)
from instar_client.api.embedding import embed, embeddings, tokenize
from instar_client.api.health import info
from instar_client.api.search import search
from instar_client.models import (
    DeleteRequest,
    DocumentsRequest,
    EmbeddingsRequest,
    EmbedRequest,
    ErrorAnswer,
    NewDocument,
    NewDocumentMetadataType0,
    OpenAIErrorAnswer,
    ReloadRequest,
    SearchRequest,
    SearchRequestFilterType0,
    SearchRequestModeType0,
    TEIErrorAnswer,
    TokenizeRequest,
)
from instar_client.types import File

KEY = "the key"


def documents(client: Any) -> None:
    metadata = NewDocumentMetadataType0.from_dict({"year": 2026, "tags": ["reset", None]})
    first = NewDocument(id="guide/7", text="Hold both buttons to reset.", metadata=metadata)
    written = write_documents.sync(client=client, body=DocumentsRequest(documents=[first]))
    assert written.ids == ["guide/7"]
    lines = File(payload=BytesIO(b'{"id": "a", "text": "One line."}\n{"id": "b", "text": "Another."}\n'))
    assert write_documents.sync(client=client, body=lines, collection="notes").ids == ["a", "b"]
    found = read_document.sync("guide/7", client=client)
    assert (found.text, found.metadata.to_dict()) == (first.text, metadata.to_dict())
    page = list_documents.sync(client=client, collection="notes", limit=1)
    assert [document.id for document in page.documents] == ["a"]
    rest = list_documents.sync(client=client, collection="notes", cursor=page.next_)
    assert ([document.id for document in rest.documents], rest.next_) == (["b"], None)
    assert delete_documents.sync(client=client, body=DeleteRequest(ids=["a"], collection="notes")).deleted == 1
    assert delete_document.sync("b", client=client, collection="notes").deleted == 1


def searching(client: Any) -> None:
    wanted = SearchRequest(
        query="reset buttons",
        mode=SearchRequestModeType0.HYBRID,
        filter_=SearchRequestFilterType0.from_dict({"year": {"gte": 2024}}),
        explain=True,
        highlight=True,
    )
    answer = search.sync_detailed(client=client, body=wanted)
    (hit,) = answer.parsed.results
    assert (hit.id, hit.highlights) == ("guide/7", [[10, 17], [21, 26]])
    assert hit.explain["keyword"].rank == 1
    assert answer.headers["X-Instar-Model"] == answer.parsed.model == info.sync(client=client).model
    several = search.sync(client=client, body=SearchRequest(query=["reset", "buttons"]))
    assert [[hit.id for hit in hits] for hits in several.results] == [["guide/7"], ["guide/7"]]


def embedding(client: Any) -> None:
    vectors = embed.sync(client=client, body=EmbedRequest(inputs=["one text", "another"], dimensions=3))
    assert [len(vector) for vector in vectors] == [3, 3]
    answer = embeddings.sync(client=client, body=EmbeddingsRequest(input_="one text", dimensions=3))
    assert max(abs(a - b) for a, b in zip(answer.data[0].embedding, vectors[0], strict=True)) < 1e-6
    ((token,),) = tokenize.sync(client=client, body=TokenizeRequest(inputs="stock", add_special_tokens=False))
    assert (token.text, token.start, token.stop) == ("stock", 0, 5)


def replacing(client: Any) -> None:
    job = reload.sync(client=client, body=ReloadRequest(model="two"))
    while job.state in ("queued", "running"):
        time.sleep(0.02)
        job = read_job.sync(job.id, client=client)
    assert (job.state, job.generation) == ("done", 2)
    assert "event: end" in follow_job.sync(job.id, client=client)
    assert rollback.sync(client=client).generation == 1
    states = [generation.state for generation in list_generations.sync(client=client).generations]
    assert states == ["active", "retained"]
    assert take_backup.sync(client=client).payload.read(9) == b"checkpoin"


def errors(client: Any) -> None:
    absent = search.sync_detailed(client=client, body=SearchRequest(query="a", collection="nowhere"))
    assert isinstance(absent.parsed, ErrorAnswer)
    assert (absent.status_code, absent.parsed.error.type_, absent.parsed.error.param) == (
        404,
        "not_found",
        "collection",
    )
    empty = embed.sync(client=client, body=EmbedRequest(inputs=""))
    assert isinstance(empty, TEIErrorAnswer)
    assert empty.error_type == "Empty"
    unknown = embeddings.sync(client=client, body=EmbeddingsRequest(input_="a", model="another"))
    assert isinstance(unknown, OpenAIErrorAnswer)
    assert unknown.error.code == "model_not_found"
    stranger = AuthenticatedClient(base_url=sys.argv[1], token="another")
    refused = reload.sync(client=stranger, body=ReloadRequest(model="two"))
    assert refused.error.type_ == "unauthorized"


if __name__ == "__main__":
    with AuthenticatedClient(base_url=sys.argv[1], token=KEY) as connected:
        for use in (documents, searching, embedding, replacing, errors):
            use(connected)
