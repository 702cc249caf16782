"""Files of judgements: what people's spreadsheets write is read, and what is wrong is named by its line."""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar, cast

import pytest

from service.console.exchange import Format, exported, read
from service.console.public_api import ApiError, Caller

JUDGED = {"query": "q", "document": "d", "good": True}


@pytest.mark.parametrize(
    "text",
    [
        "query,document,good\nq,d,true\n",
        "\ufeffQuestion;ID;Good\r\nq;d;1\r\n",
        "note\tid\tquestion\tgood\nx\td\tq\tYES",
        '"question","id","good"\n"q","d","good"',
        '{"query": "q", "document": "d", "good": true}\n',
        '{"question": "q", "id": "d", "good": 1}\n\n',
        '{"question": "q", "id": "d", "good": "yes", "stale": false, "by": null}',
    ],
)
def test_files_are_read_however_they_are_written(text: str) -> None:
    assert read(text) == [JUDGED]


@pytest.mark.parametrize(
    "text",
    [
        "query,document,good,passage\nq,c,,far\nq,d,1,near\nq,e, ,farther\n",
        '{"query": "q", "document": "c", "good": null}\n{"query": "q", "document": "d", "good": true}\n',
    ],
)
def test_lines_without_a_verdict_are_left_out(text: str) -> None:
    assert read(text) == [JUDGED]


def test_texts_stay_to_the_letter_over_lines_and_separators() -> None:
    (judgement,) = read('question,id,good,collection,provenance\n" a ""q"",\nin two lines",1,no,notes,mail\n')
    assert judgement == {
        "query": ' a "q",\nin two lines',
        "document": "1",
        "good": False,
        "collection": "notes",
        "provenance": "mail",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("query,document\nq,d\n", "line 2 has no good"),
        ("query,document,good\nq,d,1\nq,,1\n", "line 3 has no document or id"),
        ("query,document,good\nq,d,perhaps\n", "line 2 has 'perhaps' as good"),
        ('query,document,good\nq,"d" x,1\n', "line 2 is no CSV"),
        ('{"query": "q", "document": "d", "good": true}\n{"query"', "line 2 is no JSON"),
        ('{"query": "q", "document": "d"}', "line 1 has no good"),
        ("query,document,good\nq,d,\nq,e\n", "no line has a verdict yet"),
        ('{"query": "q", "document": "d", "good": true}\n[1]', "line 2 is no JSON object"),
    ],
)
def test_what_is_wrong_is_named_by_its_line(text: str, words: str) -> None:
    with pytest.raises(ApiError, match=words) as refused:
        read(text)
    assert refused.value.status == 422


class Paged:
    """An API with three judgements, two of them on the first page."""

    judgements: ClassVar = [{**JUDGED, "query": query, "collection": "default"} for query in ('a, "b"', "=1+1", "c\nd")]

    async def get(self, _: str, conditions: Mapping[str, Any]) -> Any:
        if conditions["cursor"] is None:
            return {"judgements": self.judgements[:2], "next": "more"}
        return {"judgements": self.judgements[2:], "next": None}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_is_exported_can_be_imported(form: Format) -> None:
    async def whole() -> str:
        return "".join([part async for part in exported(cast(Caller, Paged()), {}, form)])

    text = asyncio.run(whole())
    assert read(text) == Paged.judgements
    # A spreadsheet would compute it.
    assert not any(line.startswith("=") for line in text.splitlines())
