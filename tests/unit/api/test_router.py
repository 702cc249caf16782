"""Routes whose body names collections refuse one in the query, which would be ignored."""

from typing import Any

import pytest
from pydantic import BaseModel

from service.access.keyring import Keyring
from service.access.limits import RateLimits
from service.api.inputs import refuse_collection_in_query
from service.api.openapi import question_sets as documented
from service.api.router import Admission, Router
from service.api.schemas.judgements import JudgementsRequest
from service.api.schemas.question_sets import QuestionsRequest
from service.api.schemas.search import SearchRequest
from service.api.schemas.tokens import TokenizeRequest


@pytest.mark.parametrize(
    ("body", "refuses"),
    [(SearchRequest, True), (JudgementsRequest, True), (QuestionsRequest, True), (TokenizeRequest, False)],
)
def test_a_collection_in_the_query_is_refused_wherever_the_body_has_one(body: type[BaseModel], refuses: bool) -> None:
    async def handler(name: str, request: Any) -> dict[str, str]:
        return {"name": name, "request": str(request)}

    handler.__annotations__["request"] = body
    keyring: Keyring = object.__new__(Keyring)
    limits: RateLimits = object.__new__(RateLimits)
    router = Router(Admission(keyring, limits, 1), "any", "search")
    router.add("PUT /any/{name}", handler, documented.PUT)
    (route,) = router.routes
    checks = [check.dependency for check in vars(route)["dependencies"]]
    assert (refuse_collection_in_query in checks) == refuses
