"""The screen of maps: the documents of a generation in two dimensions, another one beside it, and questions on top."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from service.console.pages import Visit
from service.console.public_api import ApiError
from service.console.screen import Screen
from service.console.typed_numbers import typed_number

Answer = Mapping[str, Any]
_PAGE = 20
# Documents whose metadata keys are offered for colours.
_LOOKED_AT = 50
_LONGEST_KEY = 80


@dataclass(frozen=True, slots=True)
class Wanted:
    """The wish of an address: a generation, another one beside it, and the metadata key that colours.

    The script adds the selected `point` and the middle and size of the view, `at`.
    """

    generation: int | None
    beside: int | None
    key: str
    point: str
    at: str
    page: int

    @classmethod
    def of(cls, visit: Visit) -> "Wanted":
        """Read the address of a visit; parts that mean nothing are ignored."""
        sent = visit.request.query_params
        return cls(
            generation=_number(sent.get("generation", "")),
            beside=_number(sent.get("beside", "")),
            key=sent.get("key", "").strip(),
            point=str(_number(sent.get("point", "")) or ""),
            at=sent.get("at", "")[:60],
            page=_number(sent.get("page", "")) or 1,
        )

    def address(self, **changed: Any) -> str:
        """Return the address of the same screen with some parts changed; None leaves a part out."""
        parts = {"generation": self.generation, "beside": self.beside, "key": self.key} | changed
        return "?" + urlencode({name: value for name, value in parts.items() if value not in (None, "")})


@dataclass(frozen=True, slots=True)
class JoinedQuestion:
    """A question on one map or on two, as the first one has it that shows it, and its first good ranks on both."""

    query: str
    collection: str
    shown: Answer
    ranks: tuple[int | None, ...]


def screen(routes: Screen) -> Screen:
    """Add the routes of the screen."""
    maps = _Maps(routes)
    routes.shows("/console/map", maps.show)
    routes.shows("/console/map/progress", maps.show_progress)
    routes.shows("/console/map/points.json", maps.pass_points)
    routes.shows("/console/map/questions.json", maps.pass_questions)
    routes.shows("/console/map/point", maps.show_point)
    routes.shows("/console/map/questions", maps.show_questions)
    routes.acts("/console/map/draw", maps.draw)
    routes.acts("/console/map/delete", maps.delete)
    return routes


class _Maps:
    def __init__(self, routes: Screen) -> None:
        self._pages = routes.pages
        self._name = routes.name

    async def show(self, visit: Visit) -> Response:
        """Show the map of a generation, or what to do about it, and another one beside it if that is wanted."""
        wanted = Wanted.of(visit)
        listed = await visit.api.get("/admin/maps")
        columns = [await _chosen(visit, listed["maps"], wanted.generation)]
        if wanted.beside is not None and wanted.beside != columns[0]["generation"]:
            columns.append(await _chosen(visit, listed["maps"], wanted.beside))
        drawn = [column for column in columns if column["at"]]
        return await self._pages.render(
            visit,
            "map.html",
            screen=self._name,
            wanted=wanted,
            available=listed["available"],
            maps=listed["maps"],
            columns=columns,
            drawn=drawn,
            keys=await _keys(visit) if drawn else [],
            busy=next((one for one in listed["maps"] if one["state"] == "drawing"), None),
        )

    async def show_progress(self, visit: Visit) -> Response:
        """Show how far a drawing is; at its end the whole page is loaded again."""
        drawing = await visit.api.get(f"/admin/maps/{Wanted.of(visit).generation or 0}")
        if drawing["state"] != "drawing":
            return Response(status_code=204, headers={"HX-Refresh": "true"})
        return self._pages.part(visit, "map_progress.html", map=drawing)

    async def pass_points(self, visit: Visit) -> Response:
        """Pass the points on to the script."""
        wanted = Wanted.of(visit)
        return await _passed(visit, f"/admin/maps/{wanted.generation or 0}/points", {"key": wanted.key or None})

    async def pass_questions(self, visit: Visit) -> Response:
        """Pass the questions on to the script."""
        return await _passed(visit, f"/admin/maps/{Wanted.of(visit).generation or 0}/questions")

    async def show_point(self, visit: Visit) -> Response:
        """Show the document of a point."""
        wanted = Wanted.of(visit)
        document, problem = None, None
        try:
            named = await visit.api.get(f"/admin/maps/{wanted.generation or 0}/points/{wanted.point or 0}")
            document = await visit.api.post("/documents/inspect", {**named, "neighbours": 0}) | named
        except ApiError as error:
            if error.status != 404:
                raise
            problem = error.message
        return self._pages.part(visit, "map_point.html", document=document, problem=problem)

    async def show_questions(self, visit: Visit) -> Response:
        """List the questions on one map or two."""
        wanted = Wanted.of(visit)
        numbers = [number for number in (wanted.generation, wanted.beside) if number is not None]
        answers = await asyncio.gather(*(visit.api.get(f"/admin/maps/{number}/questions") for number in numbers))
        rows = joined([answer["questions"] for answer in answers])
        start = _PAGE * (wanted.page - 1)
        return await self._pages.render(
            visit,
            "map_questions.html",
            screen=self._name,
            wanted=wanted,
            numbers=numbers,
            rows=rows[start : start + _PAGE],
            total=len(rows),
            pages=-(-len(rows) // _PAGE),
        )

    async def draw(self, visit: Visit, form: Mapping[str, str]) -> Response:
        """Begin to draw the map of a generation."""
        await visit.api.post("/admin/maps", {"generation": _number(form.get("generation", ""))})
        return self._pages.lead("/console/map", form.get("back", ""))

    async def delete(self, visit: Visit, form: Mapping[str, str]) -> Response:
        """Delete the map of a generation, or stop drawing it."""
        await visit.api.call("DELETE", f"/admin/maps/{_number(form.get('generation', '')) or 0}")
        return self._pages.lead("/console/map", form.get("back", ""))


def joined(maps: Sequence[Sequence[Answer]]) -> list[JoinedQuestion]:
    """Return the questions of one map or two with their ranks on each: judged ones without a good document first,
    those that nobody has judged last."""
    ranks: list[dict[tuple[str, str], int | None]] = [
        {(question["query"], question["collection"]): question["first_good"] for question in questions}
        for questions in maps
    ]
    placed = {
        (question["query"], question["collection"]): question for questions in reversed(maps) for question in questions
    }
    asked = [
        JoinedQuestion(*named, question, tuple(by_question.get(named) for by_question in ranks))
        for named, question in placed.items()
    ]
    return sorted(asked, key=lambda one: (not one.shown["judged"], one.ranks[0] is not None, one.query))


def keys_of(documents: Sequence[Answer]) -> list[str]:
    """Return the metadata keys of documents whose values are plain, nested ones by their dotted path."""
    names: dict[str, None] = {}
    for document in documents:
        for name, value in document["metadata"].items():
            inner = value if isinstance(value, dict) else {}
            plain = isinstance(value, str | int | float | bool | list)
            for path in [name] if plain else [f"{name}.{key}" for key in inner]:
                if len(path) <= _LONGEST_KEY:
                    names[path] = None
    return list(names)


async def _chosen(visit: Visit, maps: Sequence[Answer], generation: int | None) -> Answer:
    """Return the map of the generation; without one, the first that is drawn. Raises ApiError."""
    if generation is None:
        return next((one for one in maps if one["at"]), maps[0])
    chosen: Answer | None = next((one for one in maps if one["generation"] == generation), None)
    return chosen or await visit.api.get(f"/admin/maps/{generation}")


async def _keys(visit: Visit) -> list[str]:
    """Return metadata keys of some documents of the largest collection."""
    collections = (await visit.api.get("/collections"))["collections"]
    if not collections:
        return []
    largest = max(collections, key=lambda collection: collection["documents"])["name"]
    page = await visit.api.get("/documents", {"collection": largest, "limit": _LOOKED_AT})
    return keys_of(page["documents"])


async def _passed(visit: Visit, path: str, params: Mapping[str, Any] | None = None) -> Response:
    """Pass the JSON of the API on as it is; an error, too, because a script reads it."""
    try:
        answer = await visit.api.raw("GET", path, params=params)
    except ApiError as error:
        return Response(json.dumps({"message": error.message}), error.status, media_type="application/json")
    return Response(answer.content, media_type="application/json")


def _number(text: str) -> int | None:
    """Return the whole number from 1 on that a text is; None for any other text."""
    return typed_number(text) or None
