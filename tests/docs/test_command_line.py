"""The Python on docs/command-line.md does what the page says."""

import re
from pathlib import Path

import pytest

from tests.support.server import Server

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_the_client_writes_searches_learns_and_reloads_as_the_page_has_it(
    tmp_path: Path, tiny_checkpoints: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asking, writing = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    (tmp_path / "faq.txt").write_text("We open at nine.\n\nWe close at five.\n", encoding="utf-8")
    server = Server(tmp_path, MODEL="one")
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    (server.checkpoints / "handbook-v2").symlink_to(tiny_checkpoints / "two")
    with server:
        server.put_documents({"close": "The day is closed at nine."}, collection="handbook")
        monkeypatch.chdir(tmp_path)
        names: dict[str, object] = {}
        for code in (asking, writing):
            exec(code.replace("http://127.0.0.1:8080", str(server.client.base_url)), names)  # noqa: S102
        said = capsys.readouterr().out.splitlines()
    *portions, counts = said
    assert counts == "2 0 1"
    assert "faq-2 documents.0.text is empty or blank: send text, or leave it out" in portions
    job = names["job"]
    assert isinstance(job, dict)
    assert (job["state"], job["checkpoint"].split("@")[0]) == ("done", "handbook-v2")
