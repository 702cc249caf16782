"""The screen that searches: why an answer is good or bad, and two generations, modes or rerankers side by side."""

import asyncio
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from service.console.judging import judge
from service.console.pages import Visit
from service.console.public_api import ApiError
from service.console.screen import Screen

_MODES = ("hybrid", "dense", "keyword")
_MOST = 50
# Metadata values that are offered as filters: values of each key, and keys.
_VALUES, _KEYS = 8, 8


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
        number = next((int(part) for part in parts if part.isdecimal()), None)
        return cls(number, next((part for part in parts if part in _MODES), None), "reranked" in parts)

    def __str__(self) -> str:
        parts = (self.generation, self.mode, "reranked" if self.reranked else None)
        return "-".join(str(part) for part in parts if part is not None) or "active"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The search that an address asks for."""

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
        k = sent.get("k", "")
        return cls(
            query=sent.get("q", "").strip(),
            collection=sent.get("collection", "default"),
            k=min(_MOST, max(1, int(k))) if k.isdecimal() else 10,
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
            "filter": self._filter(),
            "facets": list(facets),
            "rank_of": list(rank_of),
        }
        return {name: value for name, value in body.items() if value not in (None, [], {})}

    def curl(self, way: Way, origin: str) -> str:
        """Return the command line that asks the same."""
        body = shlex.quote(json.dumps(self.body(way), ensure_ascii=False))
        return f"curl {origin}/search -H 'Content-Type: application/json' -H \"Authorization: Bearer $KEY\" -d {body}"

    def _filter(self) -> dict[str, Any]:
        """Return the filter: each condition is a metadata key and a JSON value with `=` between them."""
        conditions: dict[str, Any] = {}
        for condition in self.conditions:
            key, _, value = condition.partition("=")
            try:
                conditions[key] = json.loads(value)
            except ValueError:
                conditions[key] = value
        return conditions


def screen(routes: Screen) -> Screen:
    """Add the routes of the screen."""

    async def show(visit: Visit) -> Response:
        wanted = Wanted.of(visit)
        generations = await _generations(visit)
        columns: list[dict[str, Any]] = []
        problem = None
        facets: Mapping[str, Any] = {}
        if wanted.query:
            try:
                columns, facets = await _columns(visit, wanted)
            except ApiError as error:
                problem = error
        return await routes.pages.render(
            visit,
            "search.html",
            screen=routes.name,
            wanted=wanted,
            generations=generations,
            modes=_MODES,
            columns=columns,
            facets=facets,
            problem=problem,
        )

    async def judged(visit: Visit, form: Mapping[str, str]) -> Response:
        await judge(visit, form)
        return RedirectResponse(f"{visit.request.url.path.removesuffix('/judge')}{form.get('back', '')}", 303)

    routes.shows("/console", show)
    routes.shows("/console/search", show)
    routes.acts("/console/search/judge", judged)
    return routes


async def _generations(visit: Visit) -> list[dict[str, Any]]:
    """Return the generations that can answer; only the active one if the key may not see the others."""
    if not visit.session.may("admin"):
        return []
    listed = await visit.api.get("/admin/generations")
    return [each for each in listed["generations"] if each["state"] in ("active", "retained", "shadow")]


async def _columns(visit: Visit, wanted: Wanted) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
    """Search both ways, and say of each result what the other way made of it."""
    verdicts = await _verdicts(visit, wanted)
    good = [document for document, is_good in verdicts.items() if is_good]
    rank_of = list(dict.fromkeys([*([wanted.missing] if wanted.missing else []), *good]))[:100]
    ways = [wanted.left] if wanted.right is None else [wanted.left, wanted.right]
    answers = await asyncio.gather(
        *(visit.api.raw("POST", "/search", json=wanted.body(way, (), rank_of)) for way in ways)
    )
    columns = []
    for way, answer in zip(ways, answers, strict=True):
        content = answer.json()
        columns.append(
            {
                "way": way,
                "answer": content,
                "timing": _timing(answer.headers.get("Server-Timing", "")),
                "ranks": {hit["id"]: rank for rank, hit in enumerate(content["results"], 1)},
                "curl": wanted.curl(way, str(visit.request.base_url).rstrip("/")),
            }
        )
    for column, other in zip(columns, [*columns[1:], columns[0]], strict=True):
        column["hits"] = [
            {
                **hit,
                "rank": rank,
                "pieces": _pieces(hit["text"], hit.get("highlights", ())),
                "verdict": verdicts.get(hit["id"]),
                "moved": None if len(columns) == 1 else _moved(rank, other["ranks"].get(hit["id"])),
            }
            for rank, hit in enumerate(column["answer"]["results"], 1)
        ]
        column["elsewhere"] = [
            place for place in column["answer"].get("rank_of", ()) if place["id"] not in column["ranks"]
        ]
    return columns, await _facets(visit, wanted, columns[0]["answer"]["results"])


async def _facets(visit: Visit, wanted: Wanted, results: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the values of the metadata keys that the results have, with their counts."""
    keys = list(dict.fromkeys(key for hit in results for key, value in hit["metadata"].items() if _is_plain(value)))
    if not keys:
        return {}
    body = wanted.body(wanted.left, keys[:_KEYS]) | {
        "k": 1,
        "facet_limit": _VALUES,
        "explain": False,
        "highlight": False,
    }
    counts: Mapping[str, Any] = (await visit.api.post("/search", body)).get("facets", {})
    return {key: values for key, values in counts.items() if len(values) > 1}


async def _verdicts(visit: Visit, wanted: Wanted) -> dict[str, bool]:
    """Return who is judged good or bad for the query; a person's word counts more than any other."""
    if not visit.session.may("admin"):
        return {}
    conditions = {"query": wanted.query, "collection": wanted.collection}
    listed = (await visit.api.get("/admin/judgements", conditions))["judgements"]
    ordered = sorted((each for each in listed if not each["stale"]), key=lambda each: each["source"] == "person")
    return {each["document"]: each["good"] for each in ordered}


def _moved(rank: int, other: int | None) -> tuple[str, int]:
    """Return how a result stands to the other column: new, up, down or same, and by how many ranks."""
    if other is None:
        return "new", 0
    return ("same" if other == rank else "up" if rank < other else "down"), abs(other - rank)


def _timing(header: str) -> list[tuple[str, float]]:
    """Return the steps of `Server-Timing` with their milliseconds (W3C Server Timing)."""
    steps = [step.strip().split(";dur=") for step in header.split(",") if ";dur=" in step]
    return [(name, float(milliseconds)) for name, milliseconds in steps]


def _pieces(text: str, spans: Sequence[Sequence[int]]) -> list[tuple[str, bool]]:
    """Cut a text at its highlights: pieces, each with whether it is one."""
    pieces: list[tuple[str, bool]] = []
    end = 0
    for start, stop in spans:
        pieces += [(text[end:start], False), (text[start:stop], True)]
        end = stop
    return [piece for piece in [*pieces, (text[end:], False)] if piece[0]]


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool) and len(str(value)) <= 60
