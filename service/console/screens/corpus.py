"""The screen of the corpus: collections, their documents by page, search and filter, and one document in full."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import JSONResponse, Response

from service.console.pages import Visit, load_command
from service.console.portions import LineError, Portion, read_csv, read_jsonl
from service.console.public_api import ApiError
from service.console.screen import Screen
from service.console.typed_numbers import typed_number

_PAGE = 25
# What a page says of what was done before it, by the word in its address.
_MESSAGES = {
    "written": "The document is written: the next search finds it.",
    "unchanged": "Nothing was different, so nothing was written.",
    "deleted": "{count} deleted: no search finds it any more.",
    "ended": "The collection is deleted with its {count} documents.",
}
_NEIGHBOURS, _SEARCHES, _JUDGEMENTS = 8, 10, 100


def screen(routes: Screen) -> Screen:
    """Add the routes of the screen."""
    corpus = _Corpus(routes)
    routes.shows("/console/corpus", corpus.show)
    routes.shows("/console/corpus/document", corpus.show_document)
    routes.shows("/console/corpus/edit", corpus.show_form)
    routes.shows("/console/corpus/load", corpus.show_load)
    routes.acts("/console/corpus/edit", corpus.save)
    routes.acts("/console/corpus/load", corpus.load)
    routes.acts("/console/corpus/delete", corpus.delete)
    routes.acts("/console/corpus/delete-matching", corpus.delete_matching)
    routes.acts("/console/corpus/delete-collection", corpus.delete_collection)
    return routes


class _Corpus:
    def __init__(self, routes: Screen) -> None:
        self._pages = routes.pages
        self._name = routes.name

    async def show(self, visit: Visit) -> Response:
        """Show the collections, and a page of the documents of one of them."""
        sent = visit.request.query_params
        listed = (await visit.api.get("/collections"))["collections"]
        collection = sent.get("collection") or (listed[0]["name"] if len(listed) == 1 else "")
        values: dict[str, Any] = {
            "collections": listed,
            "collection": collection,
            "query": sent.get("q", "").strip(),
            "filter": sent.get("filter", "").strip(),
            "page": None,
            "problem": None,
            "message": _message(visit),
        }
        if collection:
            try:
                values["page"] = await _page(visit, collection, values["query"], values["filter"])
            except ApiError as error:
                values["problem"] = error.message
        return await self._render(visit, "corpus.html", **values)

    async def show_document(self, visit: Visit) -> Response:
        """Show one document with all that is known of it."""
        collection, identity = _named(visit.request.query_params)
        body = {"id": identity, "collection": collection, "neighbours": _NEIGHBOURS}
        document = await visit.api.post("/documents/inspect", body)
        judgements, searches, times_shown, keep = [], [], 0, None
        if visit.session.may("admin"):
            about = {"collection": collection, "document": identity}
            judgements = (await visit.api.get("/admin/judgements", {**about, "limit": _JUDGEMENTS}))["judgements"]
            shown = await visit.api.get("/admin/searches", {**about, "limit": _SEARCHES})
            searches, times_shown = shown["searches"], shown["count"]
            keep = (await visit.api.get("/info"))["search_log"]["keep"]
        return await self._render(
            visit,
            "document.html",
            collection=collection,
            document=document,
            pieces=_pieces(document["text"], document["searchable"]),
            judgements=judgements,
            searches=[
                {**search, "rank": next(result["rank"] for result in search["results"] if result["id"] == identity)}
                for search in searches
            ],
            times_shown=times_shown,
            keep=keep,
            message=_message(visit),
        )

    async def show_form(self, visit: Visit) -> Response:
        """Show the form of a document: of one that is there, or of a new one."""
        _require_write(visit)
        collection, identity = _named(visit.request.query_params)
        text = metadata = ""
        if identity:
            body = {"id": identity, "collection": collection, "neighbours": 0}
            document = await visit.api.post("/documents/inspect", body)
            text = document["text"]
            metadata = json.dumps(document["metadata"], ensure_ascii=False, indent=1)
        form = {"collection": collection, "id": identity, "text": text, "metadata": metadata or "{}"}
        return await self._render(visit, "document_form.html", form=form, is_new=not identity, problem=None)

    async def show_load(self, visit: Visit) -> Response:
        """Show where a file can be dropped."""
        _require_write(visit)
        collection, _ = _named(visit.request.query_params)
        return await self._render(visit, "load.html", collection=collection, command=load_command(visit, collection))

    async def save(self, visit: Visit, form: Mapping[str, str]) -> Response:
        """Write the document of a form. One that cannot be written is shown again, with the reason."""
        collection, identity = _named(form)
        # Browsers send the ends of lines as CR and LF (HTML, form submission).
        document: dict[str, Any] = {"text": form.get("text", "").replace("\r\n", "\n")}
        if identity:
            document["id"] = identity
        try:
            document["metadata"] = _metadata(form.get("metadata", ""))
            written = await visit.api.post("/documents", {"collection": collection, "documents": [document]})
        except ApiError as error:
            values = {"form": form, "is_new": form.get("is_new") == "yes", "problem": _problem(error)}
            return await self._render(visit, "document_form.html", error.status, **values)
        done = "written" if written["written"] else "unchanged"
        return self._to("/document", collection=collection, id=written["ids"][0], done=done)

    async def load(self, visit: Visit, form: Mapping[str, str]) -> Response:
        """Write a portion of a file, and answer JSON: counts, or what is wrong and with which line."""
        try:
            portion = _portion(form)
        except LineError as error:
            return JSONResponse({"line": error.line, "message": error.message}, 422)
        try:
            body = {"collection": form.get("collection", ""), "documents": portion.documents}
            written: Any = {"written": 0, "unchanged": 0}
            if portion.documents:
                written = await visit.api.post("/documents", body)
        except ApiError as error:
            blamed = portion.blame(error)
            line, message = (None, error.message) if blamed is None else (blamed.line, blamed.message)
            return JSONResponse({"line": line, "message": message}, error.status)
        counts = {"written": written["written"], "unchanged": written["unchanged"]}
        return JSONResponse({**counts, "cut": len(written.get("cut", ()))})

    async def delete(self, visit: Visit, form: Mapping[str, str]) -> Response:
        """Delete one document."""
        collection, identity = _named(form)
        body = {"collection": collection, "ids": [identity]}
        deleted = (await visit.api.post("/documents/delete", body))["deleted"]
        return self._to("", collection=collection, done="deleted", count=deleted)

    async def delete_matching(self, visit: Visit, form: Mapping[str, str]) -> Response:
        """Delete the documents that pass a filter, if they are as many as the person has seen."""
        collection, _ = _named(form)
        body = {"collection": collection, "filter": _filter(form.get("filter", ""))}
        count = (await visit.api.post("/documents/matching", {**body, "limit": 0}))["count"]
        if str(count) != form.get("count"):
            raise ApiError(
                409,
                "conflict",
                f"{count} documents pass the filter now, and not {form.get('count', '')[:20]}: look at them again",
            )
        deleted = (await visit.api.post("/documents/delete", body))["deleted"]
        return self._to("", collection=collection, done="deleted", count=deleted)

    async def delete_collection(self, visit: Visit, form: Mapping[str, str]) -> Response:
        """Delete a collection whose name the person has written."""
        collection, _ = _named(form)
        if form.get("name", "").strip() != collection:
            raise ApiError(422, "invalid_request", f"write the name of the collection, {collection}, to delete it")
        ended = await visit.api.call("DELETE", f"/collections/{quote(collection, safe='')}")
        return self._to("", done="ended", count=ended["deleted"])

    async def _render(self, visit: Visit, template: str, status: int = 200, **values: Any) -> Response:
        return await self._pages.render(visit, template, status, screen=self._name, **values)

    def _to(self, page: str, **parameters: str | int) -> Response:
        return self._pages.lead(f"/console/corpus{page}", f"?{urlencode(parameters)}")


async def _page(visit: Visit, collection: str, query: str, source: str) -> dict[str, Any]:
    """Return `documents` and `next`, and with a filter the `count` of all that pass it; of a search the best ones."""
    cursor = visit.request.query_params.get("cursor")
    tree = _filter(source) if source else None
    page: dict[str, Any] = {"next": None, "count": None}
    if tree is not None:
        body = {"collection": collection, "filter": tree, "cursor": cursor, "limit": 0 if query else _PAGE}
        page |= await visit.api.post("/documents/matching", body)
    if query:
        body = {"query": query, "collection": collection, "filter": tree, "k": _PAGE, "log": False}
        page["documents"] = (await visit.api.post("/search", body))["results"]
    elif tree is None:
        page |= await visit.api.get("/documents", {"collection": collection, "cursor": cursor, "limit": _PAGE})
    return page


def _require_write(visit: Visit) -> None:
    if not visit.session.may("write"):
        raise ApiError(403, "forbidden", "this key may not write documents: sign in with one that has the scope write")


def _message(visit: Visit) -> str:
    sent = visit.request.query_params
    return _MESSAGES.get(sent.get("done", ""), "").format(count=f"{_count(sent.get('count', '')):,}")


def _count(text: str) -> int:
    return typed_number(text) or 0


def _named(fields: Mapping[str, str]) -> tuple[str, str]:
    """Return the collection and the id of a document in an address or a form."""
    return fields.get("collection") or "default", fields.get("id", "")


def _filter(source: str) -> Any:
    try:
        return json.loads(source)
    except ValueError as error:
        raise ApiError(422, "invalid_request", f'the filter is no JSON ({error}): write {{"year": 2026}}') from error


def _metadata(source: str) -> Any:
    try:
        metadata = json.loads(source or "{}")
    except ValueError as error:
        raise ApiError(422, "invalid_request", f"the metadata is no JSON ({error})", "metadata") from error
    if not isinstance(metadata, dict):
        raise ApiError(422, "invalid_request", 'the metadata is an object such as {"year": 2026}', "metadata")
    return metadata


def _problem(error: ApiError) -> str:
    """Return what the API says of the one document that was sent."""
    return error.message.replace("documents.0.", "")


def _portion(form: Mapping[str, str]) -> Portion:
    line, text = _count(form.get("line", "1")), form.get("text", "")
    return read_csv(text, line, form.get("header", "")) if form.get("kind") == "csv" else read_jsonl(text, line)


def _pieces(text: str, searchable: tuple[int, int] | None) -> list[tuple[str, bool]]:
    """Cut a text into what a search by vector can find and what it cannot; if that is unknown, all can be found."""
    start, end = searchable or (0, len(text))
    pieces = [(text[:start], False), (text[start:end], True), (text[end:], False)]
    return [piece for piece in pieces if piece[0]]
