"""The screen that searches, asked for as a browser does, without one: conditions, lost documents, what moved."""

import html
import re
from typing import Any
from urllib.parse import urlencode

from tests.support.judging import TEXTS, listed
from tests.support.server import Server

HOSTILE = "<script>alert(1)</script> \"'>"


def page(server: Server, **sent: Any) -> str:
    answer = server.client.get(f"/console/search?{urlencode(sent, doseq=True)}")
    assert answer.status_code == 200, answer.text
    assert HOSTILE not in answer.text
    return answer.text


def links(shown: str, text: str) -> list[str]:
    """The addresses of the links with that text, below the console."""
    found = re.findall(r'<a [^>]*?href="([^"]+)"[^>]*>([^<]*)', shown)
    return [
        html.unescape(address).removeprefix("/console/search")
        for address, words in found
        if text in html.unescape(words)
    ]


def conditions(shown: str, key: str) -> list[str]:
    """The conditions that the buttons of that key add to the search."""
    buttons = re.findall(r'<button class="tag" form="search" name="where" value="([^"]+)"[^>]*>([^<]*)', shown)
    return [html.unescape(condition) for condition, words in buttons if html.unescape(words).startswith(f"{key}: ")]


def results(shown: str) -> list[str]:
    return [html.unescape(identity) for identity in re.findall(r'data-document="([^"]*)"', shown)]


def test_a_value_of_a_result_narrows_the_search_whatever_is_in_key_and_value(filled: Server) -> None:
    values = {"a=b": "c=d", '"q"=': HOSTILE, "=": True, "plain": 7, "list": [1], "long": "x" * 100}
    documents = [{"id": f"m{n}", "text": f"ward {n}", "metadata": values if n else {"plain": 8}} for n in range(3)]
    filled.post("/documents", {"documents": documents, "collection": "odd"})
    shown = page(filled, q="ward", collection="odd")
    for key in ("a=b", '"q"=', "=", "plain"):
        (*_, condition) = conditions(shown, key)
        narrowed = page(filled, q="ward", collection="odd", where=condition)
        found = set(results(narrowed))
        assert found in ({"m1", "m2"}, {"m0"}), key
        # The condition is there to be removed, and is offered no longer.
        (removing,) = links(narrowed, "\N{MULTIPLICATION SIGN}")
        assert set(results(filled.client.get(f"/console/search{removing}").text)) == {"m0", "m1", "m2"}
        assert not conditions(narrowed, key)
        assert set(results(page(filled, q="ward", collection="odd", where=[condition, "plain=7"]))) <= found
    assert not conditions(shown, "list")
    assert not conditions(shown, "long")
    # Addresses that were sent before there were quoted keys.
    old = page(filled, q="ward", collection="odd", where="plain=7")
    assert set(results(old)) == {"m1", "m2"}


def test_a_document_is_found_by_its_words_and_judged_where_it_stands(filled: Server) -> None:
    query = "section 3 of ward 3"
    by_id = page(filled, q=query, k=1, left="active-dense", missing="d40")
    assert "Documents with the words" not in by_id
    assert re.search(r"Not among these: <strong>d40</strong> has rank \d+", by_id)
    shown = page(filled, q=query, k=1, left="active-dense", right="active-keyword", missing="report 41")
    assert "Documents with the words “report 41”" in shown
    assert "there is no document" not in shown
    offered = re.search(r'id="offered-1".*?</article>', shown, re.DOTALL)
    assert offered is not None
    assert "<strong>d41</strong>" in offered[0]
    ranks = dict(re.findall(r"(left|right): rank (\d+)", offered[0]))
    for side, mode in (("left", "dense"), ("right", "keyword")):
        (place,) = filled.post("/search", {"query": query, "mode": mode, "rank_of": ["d41"], "log": False})["rank_of"]
        assert ranks.get(side) == (None if place["rank"] is None else str(place["rank"]))
    (follow, *_) = links(shown, "Follow this one")
    assert "missing=d41" in follow
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', offered[0])) | {"verdict": "good"}
    answer = filled.client.post(
        "/console/search/judge", data={name: html.unescape(value) for name, value in form.items()}
    )
    assert answer.status_code == 303
    assert [(one["document"], one["good"]) for one in listed(filled)] == [("d41", True)]
    # Words that no document has, and words that are hostile.
    assert "there is no document" in page(filled, q=query, missing="zzz")
    page(filled, q=query, missing=HOSTILE)


def test_what_came_and_went_says_where_it_is_on_the_other_side(filled: Server) -> None:
    query = "report 17 of ward 3, section 6"
    shown = page(filled, q=query, k=5, left="active-dense", right="active-keyword")
    sides = {
        mode: [hit["id"] for hit in filled.search(query, mode=mode, k=60, log=False)] for mode in ("dense", "keyword")
    }
    left, right = sides["dense"][:5], sides["keyword"][:5]
    assert results(shown) == [*left, *right]
    kinds = re.findall(r'data-moved="(\w+)"', shown)
    assert kinds[:5] == [_kind(identity, left, right) or "gone" for identity in left]
    assert kinds[5:] == [_kind(identity, left, right) or "new" for identity in right]
    common = len({*left} & {*right})
    assert f"{common} of 5 in both" in shown
    assert common < 5
    went = next(identity for identity in left if identity not in right)
    if went in sides["keyword"]:
        assert f"only here, rank {sides['keyword'].index(went) + 1} on the right" in shown
    came = next(identity for identity in right if identity not in left)
    assert f"only here, rank {sides['dense'].index(came) + 1} on the left" in shown
    same = page(filled, q=query, k=5, left="active-dense", right="active-dense")
    assert set(re.findall(r'data-moved="(\w+)"', same)) == {"same"}
    assert "5 of 5 in both" in same
    assert len(TEXTS) == 60


def _kind(identity: str, left: list[str], right: list[str]) -> str | None:
    if identity not in left or identity not in right:
        return None
    before, after = left.index(identity), right.index(identity)
    return "same" if before == after else "up" if after < before else "down"
