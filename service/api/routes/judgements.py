"""`/admin/judgements`: what people say of documents, by which a new checkpoint is judged before it answers."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api import contract
from service.api.body import StrictRoute
from service.api.body_model import BodyModel
from service.api.contract import failing, requests, success
from service.api.forms import OURS
from service.api.keys import Keys
from service.api.routes.documents import MAX_ID
from service.api.texts import check_text, refuse_nul
from service.core import Core
from service.corpus.sqlite.judgements import Judgement, Key, Outcome, Which
from service.errors import InvalidRequest, NotFound, TooLarge

_PAGE = 1000
# A page's cursor has the last query in it, and the head of a request is limited.
_MAX_QUERY = 10_000


class JudgementsRequest(BodyModel):
    """Judgements."""

    model_config = ConfigDict(extra="forbid")

    judgements: list[Judgement] = Field(description="one for each query and document")
    collection: str | None = Field(
        None,
        min_length=1,
        max_length=128,
        description="the collection that all are of; it must be there and have one of the documents at least. PUT"
        " replaces the judgements of this collection alone",
    )


class Taken(TypedDict):
    """What has changed."""

    judgements: Annotated[int, Field(description="how many there are now")]
    queries: Annotated[int, Field(description="how many queries are judged now")]
    added: Annotated[int, Field(description="judgements that are new")]
    changed: Annotated[int, Field(description="judgements that said something else before")]
    removed: Annotated[int, Field(description="judgements that there were, and that are gone")]
    unresolved: Annotated[
        int,
        Field(description="judgements of the request whose document is not there: they do not count before it is"),
    ]


class Removed(TypedDict):
    """Judgements are gone."""

    removed: Annotated[int, Field(description="how many there were")]


class JudgementsAnswer(TypedDict):
    """Some of the judgements."""

    judgements: Annotated[list[Judgement], Field(description="by collection, query and document")]
    next: Annotated[str | None, Field(description="`cursor` of the next page; null: this is the last")]


Collection = Annotated[str | None, Query(description="only those of this collection")]
JudgedQuery = Annotated[str | None, Query(description="only those of this query")]
JudgedDocument = Annotated[str | None, Query(description="only those of the document with this id")]
Unresolved = Annotated[bool, Query(description="only those whose document is not there")]

_EXAMPLE = {
    "query": "How do I count my stock again?",
    "document": "c109",
    "good": True,
    "collection": "default",
    "provenance": "support, ticket 4711",
}
_BODIES = requests({"one judgement": {"judgements": [_EXAMPLE]}})
_REFUSED = failing(
    OURS,
    InvalidRequest("judgements.3 contradicts one before it: leave one of them out", "judgements.3"),
    NotFound("there is no collection 'nowhere': there are default", "collection"),
    TooLarge(
        "there would be 30000 judgements, more than 20000: send fewer, or raise INSTAR_LIMITS__JUDGEMENTS", "judgements"
    ),
)


def routes(core: Core, keys: Keys) -> APIRouter:
    """The routes of judgements."""
    router = APIRouter(
        prefix="/admin/judgements",
        route_class=StrictRoute,
        dependencies=[Depends(keys.needs("admin"))],
        tags=["admin"],
        responses=failing(OURS, *contract.KEYED, *contract.WORKING),
    )

    @router.post(
        "",
        summary="Say more of what is good",
        responses={
            200: success(
                "They are there.",
                Taken(judgements=203, queries=102, added=1, changed=0, removed=0, unresolved=0),
            ),
            **_REFUSED,
        },
    )
    async def add_judgements(request: Annotated[JudgementsRequest, Body(openapi_examples=_BODIES)]) -> Taken:
        """Add judgements; one of the same query and document as another takes its place."""
        core.require_ready()
        judgements = await core.encoding.apart(_checked, request, core)
        return _taken(await core.encoding.apart(core.judgements.add, judgements, request.collection))

    @router.put(
        "",
        summary="Say all that is good",
        responses={
            200: success(
                "They are there, and no others.",
                Taken(judgements=1, queries=1, added=1, changed=0, removed=202, unresolved=0),
            ),
            **_REFUSED,
        },
    )
    async def put_judgements(request: Annotated[JudgementsRequest, Body(openapi_examples=_BODIES)]) -> Taken:
        """Replace all judgements, or all of a collection; POST adds to them. Without any, no reload is judged.

        A reload compares both generations on the judgements before it activates the new one.
        """
        core.require_ready()
        judgements = await core.encoding.apart(_checked, request, core)
        return _taken(await core.encoding.apart(core.judgements.replace, judgements, request.collection))

    @router.get(
        "",
        summary="List judgements",
        responses={
            200: success("A page.", {"judgements": [_EXAMPLE], "next": None}),
            **failing(
                OURS,
                InvalidRequest("cursor is not one of ours: take it from `next` of the page before", "cursor"),
            ),
        },
    )
    async def list_judgements(
        collection: Collection = None,
        query: JudgedQuery = None,
        document: JudgedDocument = None,
        unresolved: Unresolved = False,
        cursor: Annotated[str | None, Query(description="`next` of the page before")] = None,
        limit: Annotated[int, Query(ge=1, le=_PAGE, description="most judgements of the page")] = _PAGE,
    ) -> JudgementsAnswer:
        """Judgements as they were sent, a page at a time; `next` is null on the last page."""
        core.require_ready()
        which = Which(collection, query, document, unresolved)
        after = None if cursor is None else _after(cursor)
        page: list[Judgement] = await core.encoding.apart(core.judgements.page, which, after, limit + 1)
        return {"judgements": page[:limit], "next": _cursor(page[limit - 1].key) if len(page) > limit else None}

    @router.delete(
        "",
        summary="Take judgements back",
        responses={
            200: success("They are gone.", Removed(removed=1)),
            **failing(
                OURS,
                InvalidRequest("say which: name collection, query, document or unresolved; PUT of [] removes all"),
            ),
        },
    )
    async def delete_judgements(
        collection: Collection = None,
        query: JudgedQuery = None,
        document: JudgedDocument = None,
        unresolved: Unresolved = False,
    ) -> Removed:
        """Remove the judgements that meet all conditions, of which there must be one."""
        core.require_ready()
        which = Which(collection, query, document, unresolved)
        if which == Which():
            raise InvalidRequest("say which: name collection, query, document or unresolved; PUT of [] removes all")
        return {"removed": await core.encoding.apart(core.judgements.remove, which)}

    return router


def _checked(request: JudgementsRequest, core: Core) -> Sequence[Judgement]:
    """The judgements of the request, each of them once; raises what is wrong with them."""
    settings = core.settings
    if len(request.judgements) > settings.limits.judgements:
        raise TooLarge(
            f"there are {len(request.judgements)} judgements, more than {settings.limits.judgements}: send fewer, or"
            " raise INSTAR_LIMITS__JUDGEMENTS",
            "judgements",
        )
    if request.collection is not None:
        refuse_nul(request.collection, "collection")
        core.documents.require(request.collection)
    known: dict[Key, Judgement] = {}
    for place, sent in enumerate(request.judgements):
        at = f"judgements.{place}"
        judgement = sent
        if request.collection is not None and "collection" not in sent.model_fields_set:
            judgement = sent.model_copy(update={"collection": request.collection})
        check_text(judgement.query, f"{at}.query", settings)
        for name in ("query", "document", "collection"):
            refuse_nul(getattr(judgement, name), f"{at}.{name}")
        if len(judgement.query) > _MAX_QUERY:
            raise TooLarge(
                f"{at}.query has {len(judgement.query)} characters, more than {_MAX_QUERY}: cut it", f"{at}.query"
            )
        if len(judgement.document.encode()) > MAX_ID:
            raise InvalidRequest(
                f"{at}.document is no document's id: these have {MAX_ID} bytes at most", f"{at}.document"
            )
        if request.collection not in (None, judgement.collection):
            raise InvalidRequest(
                f"{at} is of the collection {judgement.collection[:80]!r}, and all are to be of"
                f" {request.collection[:80]!r}: send it in another request, or leave collection out beside judgements",
                f"{at}.collection",
            )
        former = known.setdefault(judgement.key, judgement)
        if former.good is not judgement.good:
            raise InvalidRequest(f"{at} contradicts one before it: leave one of them out", at)
    return list(known.values())


def _taken(outcome: Outcome) -> Taken:
    return {
        "judgements": outcome.judgements,
        "queries": outcome.queries,
        "added": outcome.added,
        "changed": outcome.changed,
        "removed": outcome.removed,
        "unresolved": outcome.unresolved,
    }


def _cursor(key: Key) -> str:
    # None of the three has the character U+0000.
    return base64.urlsafe_b64encode("\0".join(key).encode()).decode()


def _after(cursor: str) -> Key:
    try:
        collection, query, document = base64.b64decode(cursor.encode(), b"-_", validate=True).decode().split("\0")
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("cursor is not one of ours: take it from `next` of the page before", "cursor") from error
    return collection, query, document
