"""A service that is all in memory, for commands that load: one collection, and a network that can break."""

import json
from collections import Counter
from typing import Any
from urllib.parse import unquote

import httpx

from tests.unit.instar.test_cutting import tokenizer

PAGE = 100
FORBIDDEN = "forbidden"


class Service:
    """The documents of one collection, behind a network that breaks after a number of writes.

    A proxy answers while the service `is_away`.
    """

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}
        self.sent: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.writes_left = 1_000_000
        self.is_away = False
        self.info = {"model": "one@1", "collections": {}, "max_length": 64, "prompts": {"document": ""}}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked[request.url.path] += 1
        if self.is_away:
            return httpx.Response(404, text="404 page not found")
        if request.method == "GET":
            return self._read(request)
        body = json.loads(request.content)
        if request.url.path == "/documents/matching":
            return self._matching(body)
        if request.url.path == "/documents/delete":
            for identity in body["ids"]:
                del self.stored[identity]
            return httpx.Response(200, json={"deleted": len(body["ids"])})
        return self._write(body["documents"])

    def _read(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/info":
            return httpx.Response(200, json=self.info)
        if request.url.path == "/tokenizer":
            return httpx.Response(200, content=tokenizer())
        if request.url.path.rstrip("/") in ("", "/documents"):
            return httpx.Response(200, json={"documents": [], "next": None})
        stored = self.stored.get(unquote(request.url.path.removeprefix("/documents/")))
        missing = {"error": {"type": "not_found", "message": "no document has this id"}}
        return httpx.Response(404, json=missing) if stored is None else httpx.Response(200, json=stored)

    def _write(self, documents: list[dict[str, Any]]) -> httpx.Response:
        for index, document in enumerate(documents):
            if FORBIDDEN in document["text"]:
                where = f"documents.{index}.text"
                return httpx.Response(422, json={"error": {"message": f"{where} is too bad: mend it", "param": where}})
        if not self.writes_left:
            raise httpx.ReadError("the cable is out")
        self.writes_left -= 1
        ids = [document["id"] for document in documents]
        self.stored |= zip(ids, documents, strict=True)
        self.sent.update(ids)
        return httpx.Response(200, json={"ids": ids, "written": len(ids), "unchanged": 0, "windows": len(ids)})

    def _matching(self, body: dict[str, Any]) -> httpx.Response:
        ids = sorted(
            identity
            for identity, document in self.stored.items()
            if identity > body.get("cursor", "") and _passes(document["metadata"], body["filter"])
        )
        page = [self.stored[identity] for identity in ids[:PAGE]]
        return httpx.Response(200, json={"documents": page, "next": ids[PAGE - 1] if len(ids) > PAGE else None})


def _passes(metadata: dict[str, Any], condition: dict[str, Any]) -> bool:
    """Whether the metadata passes a filter: a key is equal, is not, or exists, or several of these."""
    ((name, value),) = condition.items()
    if name == "and":
        return all(_passes(metadata, one) for one in value)
    if isinstance(value, dict) and "ne" in value:
        return bool(metadata.get(name) != value["ne"])
    return name in metadata if value == {"exists": True} else metadata.get(name) == value
