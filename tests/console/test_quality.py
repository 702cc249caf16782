"""The charts of the screen of quality say what their lines are."""

import re
from typing import Any

from playwright.sync_api import expect

from tests.console.conftest import Visits
from tests.support.server import Server
from tests.support.waiting import until

DAY = 86_400
HISTORY: dict[str, Any] = {
    "series": [
        {
            "generation": number,
            "model": f"support-{number}@0123456789ab",
            "at": [DAY * (20_000 + number), DAY * (20_001 + number)],
            "ndcg": [[0.5, 0.4, 0.6], [0.6, 0.5, 0.7]],
            "recall": [[0.5, None, None], [0.6, None, None]],
        }
        for number in (1, 2)
    ],
    "activations": [{"generation": 2, "at": DAY * 20_002}],
}


def test_the_lines_of_a_chart_are_named_in_their_colours(tiny_server: Server, visit: Visits) -> None:
    tiny_server.put_documents({f"d{n}": f"some words {n}" for n in range(3)})
    judgements = [{"query": f"words {n}", "document": f"d{n}", "good": True} for n in range(3)]
    tiny_server.post("/admin/judgements", {"judgements": judgements})
    until(lambda: tiny_server.get("/admin/quality")["state"] == "measured")
    until(lambda: bool(tiny_server.get("/admin/quality/history")["points"]))
    for scheme, width in (("light", 1280), ("dark", 400)):
        watched = visit(tiny_server, scheme=scheme, width=width)
        watched.page.route(re.compile("history.json"), lambda route: route.fulfill(json=HISTORY))
        page = watched.open("/console/quality")
        for figure in ("ndcg", "recall"):
            names = page.locator(f"[data-figure={figure}] .u-legend .u-series:not(:first-child)")
            expect(names).to_have_text(["generation 1 · support-1", "generation 2 · support-2"], timeout=60_000)
            colours = names.locator(".u-marker").evaluate_all(
                "all => all.map(one => getComputedStyle(one).backgroundColor)"
            )
            assert len({"rgba(0, 0, 0, 0)", *colours}) == 3
            boxes = [name.bounding_box() for name in names.all()]
            assert all(box and box["x"] + box["width"] <= width for box in boxes)
            # Nothing is pointed at, so there is no day yet.
            expect(page.locator(f"[data-figure={figure}] .u-legend .u-series").first).to_be_hidden()
        expect(page.get_by_text("Dashed lines are the days on which a generation went live")).to_be_visible()
        assert watched.accessibility(colours=True) == []
