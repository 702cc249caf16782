"""A search that finds nothing says what to do next."""

from functools import partial
from typing import Any

import httpx
import pytest

from instar.client import Instar
from instar.command_line import main
from instar.commands import search

Documents = dict[str, int]


def said(documents: Documents, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the command prints about a service with so many documents in its collections, and no answer."""

    def answer(request: httpx.Request) -> httpx.Response:
        content: dict[str, Any] = {"results": []} if request.url.path == "/search" else {"collections": documents}
        return httpx.Response(200, json=content)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "Instar", partial(Instar, transport=httpx.MockTransport(answer)))
        assert main(["search", "when do we close", *arguments]) == 0
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("documents", "arguments", "advice"),
    [
        ({}, [], "default has no documents; load some: instar load FOLDER --collection default"),
        ({"default": 0, "docs": 1234}, [], "name a collection that has: --collection docs (1,234)"),
        ({"docs": 5}, ["--collection", "docs"], "nothing was found in docs: ask in other words, or without --filter"),
    ],
)
def test_the_advice_fits_what_the_service_has(
    documents: Documents, arguments: list[str], advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert advice in said(documents, arguments, capsys)
