"""Judgements and jobs that were removed leave no trace in the files of a corpus once that is asked for."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.corpus.base import CorpusStore, Document
from service.corpus.judgements import Judgement, JudgementFilter, Source
from service.corpus.sqlite.sqlite_file import SqliteFile
from service.corpus.sqlite.store import SqliteStore
from service.settings.data_folder import DataFolder

SECRET = "violets in the attic"


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CorpusStore]:
    """A corpus whose SQLite leaves what is deleted where it was, as most builds of it do."""
    connect = SqliteFile._connect

    def careless(file: SqliteFile) -> sqlite3.Connection:
        connection = connect(file)
        connection.execute("PRAGMA secure_delete = OFF")
        return connection

    monkeypatch.setattr(SqliteFile, "_connect", careless)
    with closing(SqliteStore(DataFolder(tmp_path), 10_000)) as opened:
        yield opened


def readable(folder: Path, text: str) -> bool:
    return any(text.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def said(number: int, *, secret: bool) -> Judgement:
    """A judgement whose query has a length of its own, so that pages fill up unevenly."""
    query = f"{number:04} {SECRET if secret else 'of others'} {'and so on ' * (number % 90)}"
    return Judgement(query=query, document=f"d{number % 7}", good=True, source="feedback", weight=0.5)


def write_documents(corpus: CorpusStore, many: int) -> None:
    """Documents take free pages, and keep what is in them."""
    documents = [Document(f"d{number}", f"text {number} " * 50, {}) for number in range(many)]
    corpus.documents.put("default", documents, lambda _: None)


def test_judgements_that_were_replaced_are_nowhere_once_they_are_erased(corpus: CorpusStore, tmp_path: Path) -> None:
    write_documents(corpus, 20)
    derived = frozenset[Source]({"feedback"})
    chance = random.Random(1)
    numbers = range(600)
    for _ in range(6):
        # They come in any order, so that rows move from page to page, and grow fewer and more.
        some = chance.sample(numbers, chance.randrange(100, 600))
        corpus.judgements.replace([said(number, secret=number % 2 == 0) for number in some], sources=derived)
        write_documents(corpus, chance.randrange(5, 60))
    kept = [said(number, secret=False) for number in numbers if number % 2]
    corpus.judgements.replace(kept, sources=derived)
    before = corpus.judgements.all()
    assert len(before) == 300
    assert readable(tmp_path, SECRET)
    corpus.erase_removed()
    assert not readable(tmp_path, SECRET)
    assert corpus.judgements.all() == before
    corpus.close()
    assert not readable(tmp_path, SECRET)


def test_judgements_that_moved_from_page_to_page_are_nowhere_once_they_are_erased(
    corpus: CorpusStore, tmp_path: Path
) -> None:
    numbers = list(range(200))
    random.Random(1).shuffle(numbers)
    for start in range(0, 200, 10):
        corpus.judgements.add([said(number, secret=number % 2 == 0) for number in numbers[start : start + 10]])
    for number in numbers:
        corpus.judgements.remove(JudgementFilter(query=said(number, secret=True).query))
    assert readable(tmp_path, SECRET)
    corpus.erase_removed()
    assert not readable(tmp_path, SECRET)
    assert len(corpus.judgements.all()) == 100


def test_jobs_that_were_replaced_are_nowhere_once_they_are_erased(corpus: CorpusStore, tmp_path: Path) -> None:
    for round_ in range(3):
        for number in range(30):
            words = "" if round_ == 2 else SECRET * number * 20
            corpus.records.save_job(f"job-{number}", "done", f'{{"created": "{number:02}", "reason": "{words}"}}')
    assert readable(tmp_path, SECRET)
    corpus.erase_removed()
    assert not readable(tmp_path, SECRET)
    assert len(corpus.records.latest_jobs(100)) == 30


def test_a_judgement_belongs_to_the_first_text_of_its_document_after_erasing_as_before(corpus: CorpusStore) -> None:
    corpus.judgements.add([said(3, secret=False)])
    corpus.erase_removed()
    write_documents(corpus, 4)
    corpus.documents.put("default", [Document("d3", "another text", {})], lambda _: None)
    (judgement,) = corpus.judgements.all()
    assert judgement.stale
    assert corpus.judgements.counts(JudgementFilter(stale=True)) == (1, 0)
