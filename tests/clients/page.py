"""The code of docs/langchain.md, run as its readers run it: each section in order, and it prints what the page says."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = Path("langchain.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```\n^```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def sections() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    for section in PAGE.split("\n## ")[1:]:
        if blocks := BLOCK.findall(section):
            yield section.partition("\n")[0], blocks


@pytest.mark.parametrize(("name", "blocks"), [pytest.param(*each, id=each[0]) for each in sections()])
def test_a_section_prints_what_it_says(
    name: str, blocks: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert name in ("LangChain", "LlamaIndex")
    assert len(blocks) == 2
    names: dict[str, object] = {}
    for code, printed in blocks:
        own = code.replace("http://127.0.0.1:8080", os.environ["INSTAR_URL"]).replace(
            '"KEY"', repr(os.environ["INSTAR_KEY"])
        )
        exec(own, names)  # noqa: S102 (its readers run it, too)
        assert capsys.readouterr().out == printed


def test_no_code_of_the_page_is_left_out() -> None:
    assert PAGE.count("```python") == sum(len(blocks) for _, blocks in sections()) == 4
