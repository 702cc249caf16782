"""`/admin/judgements`: what people say of documents, by which a new checkpoint is judged before it answers."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends
from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from service.api import contract
from service.api.body import StrictRoute
from service.api.body_model import BodyModel
from service.api.contract import failing, requests, success
from service.api.forms import OURS
from service.api.keys import Keys
from service.api.texts import check_text, refuse_nul
from service.core import Core
from service.corpus.judgements import Judgement
from service.errors import InvalidRequest, TooLarge


class JudgementsRequest(BodyModel):
    """All judgements that there are to be."""

    model_config = ConfigDict(extra="forbid")

    judgements: list[Judgement] = Field(description="they replace those before; none: no checkpoint is judged")


class Taken(TypedDict):
    """The judgements are there."""

    judgements: Annotated[int, Field(description="how many there are")]
    queries: Annotated[int, Field(description="how many queries are judged")]


class JudgementsAnswer(TypedDict):
    """The judgements."""

    judgements: Annotated[list[Judgement], Field(description="by collection, query and document")]


_EXAMPLE = {
    "query": "How do I count my stock again?",
    "document": "c109",
    "good": True,
    "collection": "default",
    "provenance": "support, ticket 4711",
}


def routes(core: Core, keys: Keys) -> APIRouter:
    """The routes of judgements."""
    router = APIRouter(
        prefix="/admin/judgements",
        route_class=StrictRoute,
        dependencies=[Depends(keys.needs("admin"))],
        tags=["admin"],
        responses=failing(OURS, *contract.KEYED, *contract.WORKING),
    )

    @router.put(
        "",
        summary="Say what is good",
        responses={
            200: success("They are there.", Taken(judgements=1, queries=1)),
            **failing(
                OURS,
                InvalidRequest("judgements.3 contradicts one before it: leave one of them out", "judgements.3"),
                TooLarge(
                    "there are 30000 judgements, more than 20000: send fewer, or raise INSTAR_MAX_JUDGEMENTS",
                    "judgements",
                ),
            ),
        },
    )
    async def put_judgements(
        request: Annotated[
            JudgementsRequest, Body(openapi_examples=requests({"one judgement": {"judgements": [_EXAMPLE]}}))
        ],
    ) -> Taken:
        """Replace all judgements. A reload compares both generations on them before it activates the new one."""
        core.require_ready()
        settings = core.settings
        if len(request.judgements) > settings.max_judgements:
            raise TooLarge(
                f"there are {len(request.judgements)} judgements, more than {settings.max_judgements}: send fewer, or"
                " raise INSTAR_MAX_JUDGEMENTS",
                "judgements",
            )
        known: dict[tuple[str, str, str], Judgement] = {}
        for place, judgement in enumerate(request.judgements):
            check_text(judgement.query, f"judgements.{place}.query", settings)
            for name in ("query", "document", "collection"):
                refuse_nul(getattr(judgement, name), f"judgements.{place}.{name}")
            former = known.setdefault((judgement.collection, judgement.query, judgement.document), judgement)
            if former.good is not judgement.good:
                raise InvalidRequest(
                    f"judgements.{place} contradicts one before it: leave one of them out", f"judgements.{place}"
                )
        await core.encoding.apart(core.judgements.replace, list(known.values()))
        queries = {(collection, query) for collection, query, _ in known}
        return {"judgements": len(known), "queries": len(queries)}

    @router.get(
        "",
        summary="List judgements",
        responses={200: success("The judgements.", {"judgements": [_EXAMPLE]})},
    )
    async def list_judgements() -> JudgementsAnswer:
        """All judgements, as they were put."""
        core.require_ready()
        return {"judgements": await core.encoding.apart(core.judgements.all)}

    return router
