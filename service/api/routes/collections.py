"""`/collections`: which there are, and the end of one."""

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from typing_extensions import TypedDict

from service.api import contract
from service.api.body import StrictRoute
from service.api.contract import failing, requests, success
from service.api.forms import OURS
from service.api.keys import Keys
from service.api.middleware import audit
from service.core import Core
from service.corpus.base import Which
from service.errors import NotFound


class Collection(TypedDict):
    """A collection that has documents."""

    name: Annotated[str, Field(description="its name")]
    documents: Annotated[int, Field(description="how many documents it has")]


class CollectionsAnswer(TypedDict):
    """All collections."""

    collections: Annotated[list[Collection], Field(description="by name")]


class Ended(TypedDict):
    """What is gone for good."""

    deleted: Annotated[int, Field(description="how many documents there were")]
    judgements: Annotated[int, Field(description="how many judgements of them there were")]


_NAME = requests({"a collection": "notes"})


def routes(core: Core, keys: Keys) -> APIRouter:
    """The routes of collections."""
    router = APIRouter(
        route_class=StrictRoute, tags=["documents"], responses=failing(OURS, *contract.KEYED, *contract.WORKING)
    )

    @router.get(
        "/collections",
        summary="List collections",
        dependencies=[Depends(keys.needs("search"))],
        responses={
            200: success("The collections.", CollectionsAnswer(collections=[Collection(name="default", documents=330)]))
        },
    )
    async def list_collections() -> CollectionsAnswer:
        """Collections that have documents, and how many."""
        core.require_ready()
        counts = await asyncio.to_thread(core.documents.collections)
        return {"collections": [{"name": name, "documents": count} for name, count in counts.items()]}

    @router.delete(
        "/collections/{name:path}",
        summary="Delete a collection",
        dependencies=[Depends(keys.needs("write"))],
        responses={
            200: success("It is gone for good.", Ended(deleted=330, judgements=0)),
            **failing(OURS, NotFound("there is no collection 'notes': there are default", "name")),
        },
    )
    async def delete_collection(
        request: Request,
        name: Annotated[str, Path(description="its name", openapi_examples=_NAME)],
    ) -> Ended:
        """Delete all documents of a collection and the judgements of them.

        Answered when they are on no disk any more: texts, metadata, words and the vectors of all loaded generations.
        """
        core.require_ready()
        counts = await asyncio.to_thread(core.documents.collections)
        if name not in counts:
            listed = ", ".join(list(counts)[:20]) or "none yet"
            raise NotFound(f"there is no collection {name[:80]!r}: there are {listed}", "name")
        deleted = await core.writing.delete_collection(name)
        judgements = await core.thread.run(partial(core.judgements.remove, Which(name)))
        await core.housekeeping.purge_versions(await asyncio.to_thread(core.documents.dead_of, name))
        audit.note(request, deleted=deleted, judgements=judgements)
        return {"deleted": deleted, "judgements": judgements}

    return router
