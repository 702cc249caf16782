"""`POST /search`: a question in, documents out, all of one generation."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from service.api.answers import answer
from service.api.body import StrictRoute
from service.api.keys import Keys
from service.api.texts import check_text
from service.core import Core
from service.corpus import filters
from service.corpus.documents import DEFAULT_COLLECTION
from service.errors import InvalidRequest


class SearchRequest(BaseModel):
    """What to search, and where."""

    model_config = ConfigDict(extra="forbid")

    query: str
    k: int = Field(10, ge=1, description="most results")
    mode: Literal["dense"] = "dense"
    filter: dict[str, Any] | None = Field(None, description='metadata conditions such as {"year": {"gte": 2024}}')
    collection: str = DEFAULT_COLLECTION
    min_score: float | None = Field(None, description="leave out results with a lower cosine")


def routes(core: Core, keys: Keys) -> APIRouter:
    """The route of searching."""
    router = APIRouter(route_class=StrictRoute, dependencies=[Depends(keys.data)], tags=["search"])

    @router.post("/search")
    async def search(request: Annotated[SearchRequest, ...]) -> Response:
        """The documents nearest to the query by cosine, best first."""
        core.require_ready()
        check_text(request.query, "query", core.settings)
        if request.k > core.settings.max_k:
            raise InvalidRequest(f"k must be 1 to {core.settings.max_k}: ask for fewer, or raise INSTAR_MAX_K", "k")
        tree = None if request.filter is None else filters.parse(request.filter)
        generation = core.generations.acquire()
        found = await core.search.run(
            generation,
            request.query,
            k=request.k,
            collection=request.collection,
            tree=tree,
            min_score=request.min_score,
        )
        content = {
            "generation": generation.number,
            "model": generation.model,
            "results": [
                {
                    "id": hit.document.id,
                    "score": hit.score,
                    "text": hit.document.text,
                    "metadata": hit.document.metadata,
                }
                for hit in found.hits
            ],
        }
        return answer(content, generation, found.seconds)

    return router
