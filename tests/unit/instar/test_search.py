"""A search shows any text to any terminal, and one that finds nothing says what to do next."""

import io
import json
import sys
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


TEXT = "Zähle → sum \N{ROCKET}"


def shown(encoding: str, *options: str) -> str:
    """What the command prints about one result to an output of this encoding."""
    result = {"id": "a", "score": 1.0, "text": TEXT, "metadata": {}}
    answer = httpx.Response(200, json={"search": "s", "results": [result]})
    written = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "Instar", partial(Instar, transport=httpx.MockTransport(lambda _: answer)))
        patch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
        assert main(["search", "how do I count", *options]) == 0
        return written.getvalue().decode(encoding)


def test_a_terminal_that_lacks_a_character_shows_its_number() -> None:
    assert TEXT in shown("utf-8")
    assert "Zähle \\u2192 sum \\U0001f680" in shown("cp1252")
    assert "Z\\xe4hle" in shown("ascii")


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_json_is_json_in_every_encoding(encoding: str) -> None:
    assert json.loads(shown(encoding, "--json"))["results"][0]["text"] == TEXT
