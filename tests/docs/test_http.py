"""Every command of docs/http.md, pasted into one shell in its order, answers what the page shows."""

import json
from collections.abc import Iterator

import pytest

from tests.docs.examples import FENCE, ROOT, differences, here, run
from tests.support.server import Server

pytestmark = pytest.mark.nightly

PAGE = ROOT / "docs" / "http.md"
END = "\x1e"


def steps() -> Iterator[tuple[str, str | None]]:
    """Each command, and the answer that the page shows right below it."""
    blocks = FENCE.findall(PAGE.read_text(encoding="utf-8"))
    for (language, text), (below, answer) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language == "bash":
            yield text, answer if below == "json" else None


def test_every_command_pastes_and_answers_as_the_page_shows(demo: Server) -> None:
    (start, _), *others = steps()
    assert start == "make serve\n"
    assert [shown is not None for _, shown in others].count(True) >= 10
    script = "set -e\n" + "".join(f"{here(command, demo)}printf '{END}'\n" for command, _ in others)
    answers = run(script).split(END)[:-1]
    for (command, shown), said in zip(others, answers, strict=True):
        if shown is not None:
            assert not differences(json.loads(shown), json.loads(said)), (command, said)
    assert demo.get("/info")["model"].startswith("all-MiniLM-L6-v2@")
    assert "shop" not in {each["name"] for each in demo.get("/collections")["collections"]}
