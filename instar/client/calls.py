"""All calls of the clients, as what they send. Both clients send them, each in its way."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypedDict, cast
from urllib.parse import quote

from instar.client.call import Call
from instar.client.errors import Unsendable
from instar.client.types import (
    ActivateRequest,
    Deleted,
    DeleteRequest,
    DocumentsRequest,
    FeedbackAnswer,
    FeedbackEvent,
    GenerationsAnswer,
    Info,
    Job,
    JudgementsAnswer,
    JudgementsRequest,
    MatchingPage,
    MatchingRequest,
    Page,
    ReloadRequest,
    Result,
    SearchAnswer,
    SearchRequest,
    StoredDocument,
    Taken,
    WriteAnswer,
)

# The metadata in which stores of frameworks note the search that found a document.
SEARCH = "instar_search"
ENDED = frozenset({"done", "failed", "refused", "cancelled"})
# In the path of an address these mean another one.
_NO_NAMES = frozenset({"", ".", ".."})


class JudgementsWanted(TypedDict, total=False):
    """The judgements that are listed: all that agree with what is said here."""

    collection: str
    query: str
    document: str
    source: Sequence[str]
    by: str
    side: str
    since: str
    unresolved: bool
    stale: bool


def _quoted(identity: str) -> str:
    """The id as a part of a path. Raises Unsendable if the path would be another one."""
    if identity in _NO_NAMES:
        message = f"the id {identity!r} cannot stand in an address: read all documents, or those that pass a filter"
        body = {"error": {"type": "unsendable", "message": message, "param": "id"}}
        raise Unsendable(message, HTTPStatus.UNPROCESSABLE_ENTITY, body)
    # Half a character has no place in UTF-8, and the service finds nothing by that name.
    return quote(identity, safe="", errors="surrogatepass")


def info() -> Call[Info]:
    return Call("GET", "/info", names=("collections",))


def tokenizer() -> Call[dict[str, Any]]:
    return Call("GET", "/tokenizer")


def search(request: SearchRequest) -> Call[SearchAnswer]:
    return Call("POST", "/search", request, names=("results",))


def results_of(answer: SearchAnswer) -> Sequence[Result]:
    """The results of a search for one question. Those of several questions are a list for each."""
    return cast(Sequence[Result], answer["results"])


def note_of(answer: SearchAnswer) -> dict[str, str]:
    """The id of a search for one question, as metadata of what it found; nothing if the service keeps no searches."""
    search = answer.get("search")
    return {SEARCH: search} if isinstance(search, str) else {}


def write(request: DocumentsRequest) -> Call[WriteAnswer]:
    return Call("POST", "/documents", request, names=("ids", "written", "unchanged"))


def read(identity: str, collection: str) -> Call[StoredDocument]:
    return Call(
        "GET",
        f"/documents/{_quoted(identity)}",
        parameters={"collection": collection},
        names=("id",),
    )


def page(collection: str, cursor: str | None, limit: int) -> Call[Page]:
    return Call(
        "GET",
        "/documents",
        parameters={"collection": collection, "cursor": cursor, "limit": limit},
        names=("documents", "next"),
    )


def matching(request: MatchingRequest) -> Call[MatchingPage]:
    return Call("POST", "/documents/matching", request, names=("documents", "next"))


def delete(request: DeleteRequest) -> Call[Deleted]:
    return Call("POST", "/documents/delete", request, names=("deleted",))


def feedback(events: Sequence[FeedbackEvent]) -> Call[FeedbackAnswer]:
    return Call("POST", "/feedback", {"events": list(events)}, names=("accepted",))


def judge(request: JudgementsRequest) -> Call[Taken]:
    return Call("POST", "/admin/judgements", request)


def judgements(wanted: Mapping[str, Any], cursor: str | None) -> Call[JudgementsAnswer]:
    return Call("GET", "/admin/judgements", parameters={**wanted, "cursor": cursor}, names=("judgements", "next"))


def reload(request: ReloadRequest) -> Call[Job]:
    return Call("POST", "/admin/reload", request, names=("id", "state"))


def job(identity: str) -> Call[Job]:
    return Call("GET", f"/admin/jobs/{_quoted(identity)}", names=("id", "state"))


def cancel(identity: str) -> Call[Job]:
    return Call("DELETE", f"/admin/jobs/{_quoted(identity)}", names=("id", "state"))


def activate(request: ActivateRequest) -> Call[Job]:
    return Call("POST", "/admin/activate", request, names=("id", "state"))


def rollback(generation: int | None) -> Call[dict[str, Any]]:
    return Call("POST", "/admin/rollback", {} if generation is None else {"generation": generation})


def generations() -> Call[GenerationsAnswer]:
    return Call("GET", "/admin/generations", names=("generations",))
