"""A search as an address of the console says it: the question, the ways to search, and the conditions."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from service.console.conditions import filter_of
from service.console.pages import Visit
from service.console.typed_numbers import typed_number

MODES = ("hybrid", "dense", "keyword")
# Digits of a number that anybody means.
_DIGITS = 9
_MOST = 50


@dataclass(frozen=True, slots=True)
class Way:
    """One way to search: by a generation (None: the active one), in a mode (None: the service's), reranked or not.

    It is written `GENERATION-MODE-REDUCTION` in addresses, such as `3-hybrid-reranked`; each part may be left out.
    """

    generation: int | None = None
    mode: str | None = None
    reranked: bool = False

    @classmethod
    def read(cls, text: str) -> "Way":
        """Read a way from an address; parts that mean nothing are ignored."""
        parts = text.split("-")
        typed = (typed_number(part, _DIGITS) for part in parts)
        number = next((number for number in typed if number is not None), None)
        return cls(number, next((part for part in parts if part in MODES), None), "reranked" in parts)

    def __str__(self) -> str:
        parts = (self.generation, self.mode, "reranked" if self.reranked else None)
        return "-".join(str(part) for part in parts if part is not None) or "active"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search, as an address says it."""

    query: str
    collection: str
    k: int
    left: Way
    right: Way | None
    conditions: tuple[str, ...]
    missing: str

    @classmethod
    def of(cls, visit: Visit) -> "Wanted":
        """Read the address of a visit."""
        sent = visit.request.query_params
        k = typed_number(sent.get("k", ""), _DIGITS)
        return cls(
            query=sent.get("q", "").strip(),
            collection=sent.get("collection", "default"),
            k=10 if k is None else min(_MOST, max(1, k)),
            left=Way.read(sent.get("left", "")),
            right=Way.read(sent["right"]) if sent.get("right") else None,
            conditions=tuple(sent.getlist("where")),
            missing=sent.get("missing", "").strip(),
        )

    def address(self, **changed: Any) -> str:
        """Return the address of the same screen with some parts changed; None leaves a part out."""
        parts: dict[str, Any] = {
            "q": self.query,
            "collection": None if self.collection == "default" else self.collection,
            "k": None if self.k == 10 else self.k,
            "left": None if self.left == Way() else str(self.left),
            "right": None if self.right is None else str(self.right),
            "where": list(self.conditions),
            "missing": self.missing or None,
        }
        parts |= changed
        return "?" + urlencode({name: value for name, value in parts.items() if value not in (None, "")}, doseq=True)

    def body(self, way: Way, facets: Sequence[str] = (), rank_of: Sequence[str] = ()) -> dict[str, Any]:
        """Return the body of `POST /search`. The searches of this screen are kept out of the search log."""
        body: dict[str, Any] = {
            "query": self.query,
            "k": self.k,
            "collection": self.collection,
            "highlight": True,
            "explain": True,
            "log": False,
            "generation": way.generation,
            "mode": way.mode,
            "rerank": way.reranked or None,
            "filter": filter_of(self.conditions),
            "facets": list(facets),
            "rank_of": list(rank_of),
        }
        return {name: value for name, value in body.items() if value not in (None, [], {})}

    def curl(self, way: Way, origin: str) -> str:
        """Return the command line that asks the same."""
        body = shlex.quote(json.dumps(self.body(way), ensure_ascii=False))
        url = shlex.quote(f"{origin}/search")
        return f"curl {url} -H 'Content-Type: application/json' -H \"Authorization: Bearer $KEY\" -d {body}"


def answering(listed: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return those of the listed generations that can answer a search: the start may have left a retained one out."""
    states = ("active", "retained", "shadow")
    return [each for each in listed if each["state"] in states and each.get("loaded", True)]
