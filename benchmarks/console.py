"""`make bench-console`: how long each page of the console takes on the server, and a browser until it shows something.

The service has 100,000 documents, two generations, 2,000 judged questions and a search log. Each page, and each part
that a page fetches for itself, is asked for by an admin who has signed in, with other questions and documents each
time. The tasks of `tests/console` are done as well, by mouse and by keyboard, and counted.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import numpy as np

from benchmarks import judged_service, machine
from benchmarks.judged_service import Judged
from tests.console.browser import Watched, launched
from tests.support import effort

RESULTS = Path(__file__).parent / "results" / "console.json"
_TASKS = ("tests/console/test_tasks.py", "tests/console/test_tasks_of_models.py")
_PAINT = (
    "new Promise(done => new PerformanceObserver(seen => seen.getEntries().forEach(entry =>"
    " entry.name === 'first-contentful-paint' && done(entry.startTime))).observe({type: 'paint', buffered: true}))"
)
# What a page may take on the server, in milliseconds.
BAR = 300


@dataclass(frozen=True)
class Page:
    """A page, or a part of one: its address below /console for each visit. A form is sent with these fields."""

    name: str
    address: Callable[[int], str]
    is_part: bool = False
    form: Callable[[int], dict[str, str]] | None = None


def main() -> None:
    """Measure, print the tables and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--searches", type=int, default=5000)
    parser.add_argument("--visits", type=int, default=20)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    results: dict[str, Any] = {"machine": machine.describe(), "tasks": _tasks()}
    with tempfile.TemporaryDirectory() as name:
        filled = judged_service.running(Path(name), options.documents, options.questions, options.searches)
        with filled as judged:
            results |= {"counts": judged.counts, "pages": measure(judged, options.visits)}
    print(table(results))
    options.results.write_text(json.dumps(results, indent=1) + "\n")


def table(results: dict[str, Any]) -> str:
    """The results as Markdown tables."""
    counts = ", ".join(f"{count:,} {name}" for name, count in results["counts"].items())
    lines = [
        counts,
        "",
        "| page, or part of one | first visit ms | p50 ms | p95 ms | first paint ms | scripts kB |",
        "|---|---|---|---|---|---|",
    ]
    for page in results["pages"]:
        seen = (f"{page['paint']:.0f}", f"{page['scripts'] / 1000:.0f}") if "paint" in page else ("", "")
        slow = " (over the bar)" if page["p95"] > BAR else ""
        times = f"{page['first']:.0f} | {page['p50']:.0f} | {page['p95']:.0f}{slow}"
        lines.append(f"| {page['name']} | {times} | {' | '.join(seen)} |")
    return "\n".join([*lines, "", effort.table(results["tasks"])])


def measure(judged: Judged, visits: int) -> list[dict[str, Any]]:
    """Visit each page once and then so often, and in a browser as well unless it is a part of another."""
    with httpx.Client(base_url=judged.address, timeout=600) as client:
        client.post("/console/sign-in", data={"key": judged.key})
        pages = _pages(client, judged)
        _wait_for_figures(client, judged)
        times = [[_milliseconds(client, page, visit) for visit in range(visits + 1)] for page in pages]
    with launched() as browser:
        watched = Watched(browser, judged.address)
        signed_in = watched.page.context.request.post(f"{judged.address}/console/sign-in", form={"key": judged.key})
        if not signed_in.ok:
            raise RuntimeError(f"signing in was answered {signed_in.status}")
        seen = [{} if page.is_part else _seen(watched, page) for page in pages]
    return [
        {"name": page.name, "first": first, **_quantiles(later), **shown}
        for page, (first, *later), shown in zip(pages, times, seen, strict=True)
    ]


def _quantiles(times: Sequence[float]) -> dict[str, float]:
    p50, p95 = np.percentile(times, [50, 95])
    return {"p50": float(p50), "p95": float(p95)}


def _milliseconds(client: httpx.Client, page: Page, visit: int) -> float:
    form = page.form(visit) if page.form else None
    headers = {"HX-Request": "true"} if page.is_part else {}
    began = time.perf_counter()
    address = f"/console{page.address(visit)}"
    answer = client.get(address, headers=headers) if form is None else client.post(address, data=form, headers=headers)
    took = (time.perf_counter() - began) * 1000
    if answer.status_code not in (200, 303):
        raise RuntimeError(f"{page.name} was answered {answer.status_code}: {answer.text[:500]}")
    return took


def _seen(watched: Watched, page: Page) -> dict[str, Any]:
    """The first paint of a page in the browser, in milliseconds, and the bytes of its scripts."""
    paints = []
    for visit in range(100, 103):
        watched.scripts.clear()
        watched.open(f"/console{page.address(visit)}")
        paints.append(float(watched.page.evaluate(_PAINT)))
    return {"paint": median(paints), "scripts": sum(watched.scripts.values())}


def _wait_for_figures(client: httpx.Client, judged: Judged) -> None:
    """Have the judged questions searched for, which takes the service a while after documents have changed."""
    headers = {"Authorization": f"Bearer {judged.key}"}
    while client.get("/admin/quality", params={"wait": 30}, headers=headers).json()["state"] == "measuring":
        pass


def _pages(client: httpx.Client, judged: Judged) -> Sequence[Page]:
    """All pages of the console and their parts. Verdicts come last, because they change what quality is measured by."""

    def asked(visit: int, **more: str) -> str:
        return urlencode({"q": judged.questions[visit * 7 % len(judged.questions)], **more})

    def document(visit: int) -> str:
        return urlencode({"collection": "default", "id": str(visit * 997 % judged.counts["documents"])})

    headers = {"Authorization": f"Bearer {judged.key}"}
    job = client.get("/admin/jobs", headers=headers).json()["jobs"][0]["id"]
    token = re.findall(r'name="form_token" value="(\w+)"', client.get("/console").text)[0]

    def verdict(visit: int) -> dict[str, str]:
        pair = {
            "query": judged.questions[visit % len(judged.questions)],
            "document": str(visit),
            "collection": "default",
        }
        return {**pair, "verdict": "good" if visit % 2 else "bad", "form_token": token, "history": "[]", "said": ""}

    compared = urlencode({"name": "release", "left": "1", "right": "active"})
    return [
        Page("first page", lambda _: ""),
        Page("search", lambda n: f"/search?{asked(n)}"),
        Page("search, two columns", lambda n: f"/search?{asked(n, right='1', missing=str(n))}"),
        Page("search, with a condition", lambda n: f"/search?{asked(n, where=f'year={2000 + n % 27}')}"),
        Page("saved questions", lambda _: "/questions"),
        Page("saved questions, compared", lambda _: f"/questions/run?{compared}"),
        Page(
            "saved questions, next rows", lambda n: f"/questions/rows?{compared}&start={10 + n % 4 * 10}", is_part=True
        ),
        Page("judge", lambda _: "/judge"),
        Page("judge, its passages", lambda _: "/judge/hand", is_part=True),
        Page("judge, progress", lambda _: "/judge/progress", is_part=True),
        Page("judge, agreement", lambda _: "/judge/agreement", is_part=True),
        Page("judge, import and export", lambda _: "/judge/exchange"),
        Page("quality", lambda n: f"/quality?page={1 + n % 9}"),
        Page("quality, what users say", lambda _: "/quality/use", is_part=True),
        Page("quality, chart of generations", lambda _: "/quality/history.json?mode=hybrid", is_part=True),
        Page("quality, chart of days", lambda _: "/quality/days.json", is_part=True),
        Page("models", lambda _: "/models"),
        Page("models, checkpoints", lambda _: "/models/checkpoints", is_part=True),
        Page("models, one checkpoint", lambda _: "/models/checkpoints/first"),
        Page("models, one reload", lambda _: f"/models/jobs/{job}"),
        Page("models, confirm a reload", lambda _: "/models/reload?model=first"),
        Page("models, confirm a rollback", lambda _: "/models/rollback"),
        Page("corpus", lambda n: f"/corpus?collection=default&cursor={n * 4000}"),
        Page("corpus, search", lambda n: f"/corpus?collection=default&{asked(n)}"),
        Page(
            "corpus, filter",
            lambda n: f"/corpus?collection=default&filter={quote(json.dumps({'year': 2000 + n % 27}))}",
        ),
        Page("corpus, one document", lambda n: f"/corpus/document?{document(n)}"),
        Page("corpus, edit a document", lambda n: f"/corpus/edit?{document(n)}"),
        Page("corpus, load a file", lambda _: "/corpus/load?collection=default"),
        Page("system", lambda _: "/system"),
        Page("start", lambda _: "/start"),
        Page("search, a verdict", lambda _: "/search/judge", is_part=True, form=verdict),
        Page("judge, a verdict", lambda _: "/judge/verdict", is_part=True, form=lambda n: verdict(n + 200)),
    ]


def _tasks() -> list[dict[str, Any]]:
    """Do the tasks of the tests, one after the other."""
    with tempfile.NamedTemporaryFile() as file:
        command = [sys.executable, "-m", "pytest", "-q", *_TASKS, "--efforts", file.name]
        subprocess.run(command, cwd=Path(__file__).parent.parent, check=True)
        efforts: list[dict[str, Any]] = json.loads(Path(file.name).read_text())
    return efforts


if __name__ == "__main__":
    main()
