"""`/admin/maps`: the documents of a generation in two dimensions, and the judged questions among them."""

import asyncio
from collections.abc import Mapping

import numpy as np
from fastapi import Response
from numpy.typing import NDArray

from service.api.inputs import refuse_nul
from service.api.openapi import maps as documented
from service.api.readiness import RequireReady
from service.api.responses import json_answer
from service.api.router import Admission, Router
from service.api.schemas.maps import (
    PER_UNIT,
    ColourKey,
    MapDocument,
    MapRequest,
    MapsAnswer,
    MapState,
    OfGeneration,
    PointNumber,
    QuestionsAnswer,
)
from service.corpus.base import Documents, Seqs
from service.generations.generation import Generation
from service.generations.loaded import LoadedGenerations
from service.generations.maps import placing
from service.generations.maps.errors import no_map, no_point
from service.generations.maps.groups import collection_of, count, points_of
from service.generations.maps.map_folder import Map
from service.generations.maps.maps import Maps
from service.generations.maps.material import MOST

_ACTIVE = MapRequest(generation=None)


def routes(
    admission: Admission,
    require_ready: RequireReady,
    maps: Maps,
    generations: LoadedGenerations,
    documents: Documents,
    root_path: str,
) -> Router:
    """The routes of maps. A proxy publishes them below `root_path`."""
    router = Router(admission, "admin", "admin")
    handlers = _Maps(require_ready, maps, generations, documents, root_path)
    router.add("GET /admin/maps", handlers.list_maps, documented.LIST)
    router.add("POST /admin/maps", handlers.draw_map, documented.DRAW)
    router.add("GET /admin/maps/{generation}", handlers.read_map, documented.READ)
    router.add("DELETE /admin/maps/{generation}", handlers.delete_map, documented.DELETE)
    router.add("GET /admin/maps/{generation}/points", handlers.read_map_points, documented.POINTS)
    router.add("GET /admin/maps/{generation}/points/{point}", handlers.find_map_document, documented.DOCUMENT)
    router.add("GET /admin/maps/{generation}/questions", handlers.read_map_questions, documented.QUESTIONS)
    return router


class _Maps:
    def __init__(
        self,
        require_ready: RequireReady,
        maps: Maps,
        generations: LoadedGenerations,
        documents: Documents,
        root_path: str,
    ) -> None:
        self._require_ready = require_ready
        self._maps = maps
        self._generations = generations
        self._documents = documents
        self._root_path = root_path

    async def list_maps(self) -> MapsAnswer:
        """List the maps of all generations that are loaded, that of the active one first."""
        self._require_ready()
        generations = [generation for generation, _ in self._generations.searchable()]
        return {"available": self._maps.available, "maps": await asyncio.to_thread(self._states, generations)}

    async def draw_map(self, response: Response, request: MapRequest = _ACTIVE) -> MapState:
        """Begin to draw the map of a generation, at the lowest priority and in a process of its own.

        There is one at a time. It begins at the positions of another generation's map, if there is one, so that both
        can be compared by eye. Of more than 200,000 documents it has a random sample. The map is deleted with its
        generation, and after changes of documents it stays as it is: draw it again.
        """
        self._require_ready()
        number = request.generation
        generation = self._generations.acquire() if number is None else self._generations.numbered(number)
        await self._maps.draw(generation)
        response.headers["Location"] = f"{self._root_path}/admin/maps/{generation.number}"
        (state,) = await asyncio.to_thread(self._states, [generation])
        return state

    async def read_map(self, generation: OfGeneration) -> MapState:
        """Say whether a generation has a map, how far a new one is, and which documents are not on it."""
        self._require_ready()
        (state,) = await asyncio.to_thread(self._states, [self._generations.numbered(generation)])
        return state

    async def delete_map(self, generation: OfGeneration) -> MapState:
        """Delete the map of a generation, and stop drawing it. A generation without a map is no error."""
        self._require_ready()
        numbered = self._generations.numbered(generation)
        await self._maps.forget(numbered.number)
        (state,) = await asyncio.to_thread(self._states, [numbered])
        return state

    async def read_map_points(self, generation: OfGeneration, key: ColourKey = None) -> Response:
        """Read the documents on a map that are still there: numbers, positions and groups, as columns.

        A document is one point, at the mean of its windows. A document that has several values of `key` is in the last
        group of them. `GET /admin/maps/{generation}/points/{point}` has the id of a document by its number.
        """
        self._require_ready()
        if key is not None:
            refuse_nul(key, "key")
        numbered = self._generations.numbered(generation)

        def columns() -> Mapping[str, object]:
            points = points_of(self._drawn(numbered), self._documents, key)
            return {
                "document": points.seqs,
                "x": _whole(points.positions[:, 0]),
                "y": _whole(points.positions[:, 1]),
                "group": points.group,
                "groups": [{"value": group.value, "documents": group.documents} for group in points.groups],
            }

        return json_answer(await asyncio.to_thread(columns), numbered)

    async def find_map_document(self, generation: OfGeneration, point: PointNumber) -> MapDocument:
        """Find the document of a point: its id and its collection, by which `GET /documents/{id}` has its text."""
        self._require_ready()
        numbered = self._generations.numbered(generation)
        named = await asyncio.to_thread(collection_of, self._documents, point)
        if named is None:
            raise no_point(numbered.number, point)
        collection, identity = named
        return {"id": identity, "collection": collection}

    async def read_map_questions(self, generation: OfGeneration) -> QuestionsAnswer:
        """Read the questions on a map, each in the middle of the documents that are nearest to it.

        These are judged questions, and others that users ask often. Judgements are as they are now; the nearest
        documents are those of the day of the map.
        """
        self._require_ready()
        numbered = self._generations.numbered(generation)

        def placed() -> QuestionsAnswer:
            questions = placing.shown(self._maps.questions(numbered), self._drawn(numbered))
            return {
                "questions": [
                    {
                        "query": shown.question.text,
                        "collection": shown.question.collection,
                        "x": round(shown.position[0] * PER_UNIT),
                        "y": round(shown.position[1] * PER_UNIT),
                        "judged": shown.question.good is not None,
                        "first_good": shown.first_good,
                        "searches": shown.question.searches,
                    }
                    for shown in questions
                ]
            }

        return await asyncio.to_thread(placed)

    def _drawn(self, generation: Generation) -> Map:
        drawn = self._maps.read(generation)
        if drawn is None:
            raise no_map(generation.number)
        return drawn

    def _states(self, generations: list[Generation]) -> list[MapState]:
        """Say of each generation how its map is."""
        maps = [self._maps.read(generation) for generation in generations]
        live = self._documents.live() if any(drawn is not None for drawn in maps) else {}
        return [self._state(generation, drawn, live) for generation, drawn in zip(generations, maps, strict=True)]

    def _state(self, generation: Generation, drawn: Map | None, live: Mapping[str, Seqs]) -> MapState:
        under_way, failed = self._maps.under_way, self._maps.failed
        drawing = under_way if under_way is not None and under_way.generation == generation.number else None
        reason = failed.reason if failed is not None and failed.generation == generation.number else None
        about = None if drawn is None else drawn.about
        shown, gone, new = (0, 0, 0) if drawn is None else count(drawn, live)
        return {
            "generation": generation.number,
            "model": generation.model,
            "state": "drawing" if drawing else "failed" if reason else "drawn" if drawn else "none",
            "stage": None if drawing is None else drawing.stage,
            "done": 0 if drawing is None else drawing.done,
            "total": 0 if drawing is None else drawing.total,
            "reason": reason,
            "at": None if about is None else about.at,
            "seconds": None if about is None else about.seconds,
            "shown": shown,
            "gone": gone,
            "new": new,
            "sampled": drawn is not None and drawn.about.documents > MOST,
            "begun_from": None if about is None else about.begun_from,
        }


def _whole(positions: NDArray[np.float32]) -> NDArray[np.int32]:
    return np.ascontiguousarray(np.rint(positions * PER_UNIT).astype(np.int32))
