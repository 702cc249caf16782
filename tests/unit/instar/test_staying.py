"""A load tells another document of the same name from its own, edited or cut otherwise, and sends as soon as it can."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from instar.client import Instar, Refused
from instar.loading.comparing import Comparison, Stored
from instar.loading.cutting import Cutter
from instar.loading.origin import Mistaken, Origin
from instar.loading.owners import Owners
from tests.unit.instar.service import Service
from tests.unit.instar.test_comparing import counts, load, page, write
from tests.unit.instar.test_cutting import tokenizer


def sentences(about: str, number: int = 60) -> str:
    """Sentences that share no words with those about something else."""
    return " ".join(f"{' '.join(f'{about}{number * 7 + word}' for word in range(7))}." for number in range(number))


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def refused(service: Service, path: Path) -> str:
    """Load what is not to be loaded, and return what is said of it; nothing of the service has changed."""
    before = dict(service.stored)
    with pytest.raises(Mistaken) as error:
        load(service, path)
    assert service.stored == before
    return str(error.value)


def test_another_text_whose_passages_are_numbered_takes_nothing_away(tmp_path: Path) -> None:
    service = Service()
    load(service, text(tmp_path / "a" / "manual.txt", sentences("press")), limit=16)
    number = len(service.stored)
    said = refused(service, text(tmp_path / "b" / "manual.txt", "A line of another manual."))
    assert f"the texts of {number} of {number} passages that were loaded as 'manual.txt' are not in" in said
    assert number > 40


def test_another_table_with_the_same_ids_takes_nothing_away(tmp_path: Path) -> None:
    service = Service()
    rows = [[{"id": number, "text": sentences(about, 1) + str(number)} for number in range(100)] for about in "ab"]
    load(service, write(tmp_path / "a" / "data.jsonl", *rows[0]))
    other = write(tmp_path / "b" / "data.jsonl", *rows[1])
    assert "written over, add --replace" in refused(service, other)
    assert counts(load(service, other, replace=True)[0]) == (100, 0, 0)


def test_a_page_of_one_passage_may_be_edited(tmp_path: Path) -> None:
    service = Service()
    path = text(tmp_path / "page.txt", "We open at nine. We close at five, on Fridays at four. Parcels go out at noon.")
    load(service, path)
    text(path, path.read_text().replace("noon", "eleven").replace("at nine", "at ten"))
    assert counts(load(service, path)[0]) == (1, 0, 0)


@pytest.mark.parametrize(("before", "after"), [(16, 400), (400, 16), (40, 30)])
@pytest.mark.parametrize("content", [sentences("word"), "".join(map(chr, range(0x4E00, 0x5000)))])
def test_a_text_that_is_cut_otherwise_is_the_same(tmp_path: Path, before: int, after: int, content: str) -> None:
    service = Service()
    path = text(tmp_path / "long.md", f"# Long\n\n{content}")
    load(service, path, limit=before)
    load(service, path, limit=after)
    refused(service, text(tmp_path / "b" / "long.md", f"# Long\n\n{content[:60]}"))


def test_a_file_that_is_renamed_is_the_same(tmp_path: Path) -> None:
    service = Service()
    load(service, page(tmp_path / "docs" / "a.md", "Home", "Start", "End").parent)
    (tmp_path / "docs" / "a.md").rename(tmp_path / "docs" / "b.md")
    assert counts(load(service, tmp_path / "docs")[0]) == (3, 0, 3)


def progress(service: Service, path: Path, limit: int) -> Iterator[tuple[str, int]]:
    """Yield the ids that a load would send, each with the bytes that are read when it does."""
    read: list[int] = []
    stored = {identity: Stored.of(document) for identity, document in service.stored.items()}  # type: ignore[arg-type]
    origin = Origin.of(path)
    with Instar("http://there", transport=httpx.MockTransport(service)) as client:
        owners = Owners(client, "notes", ask=False)
        comparison = Comparison(origin, origin.listing(), stored, owners, replace=False)
        for passage in comparison.changed(Cutter(tokenizer(), limit, ""), read.append):
            yield passage.id, sum(read)


def test_new_files_wait_for_no_others_than_those_that_are_stored(tmp_path: Path) -> None:
    service, folder = Service(), tmp_path / "docs"
    for number in range(10):
        text(folder / f"z{number}.md", sentences(f"old{number}x", 2))
    load(service, folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    for number in range(10):
        text(folder / f"a{number}.md", sentences(f"new{number}x", 2))
    sent = list(progress(service, folder, 64))
    assert [identity for identity, _ in sent] == [f"docs/a{number}.md#a{number}" for number in range(10)]
    assert sent[0][1] == size


@pytest.mark.parametrize(("before", "after"), [(64, 16), (16, 64)])
def test_what_another_model_cuts_anew_is_sent_when_half_is_read(tmp_path: Path, before: int, after: int) -> None:
    service, folder = Service(), tmp_path / "docs"
    for number in range(20):
        text(folder / f"{number:02}.txt", sentences(f"old{number}x", 4))
    load(service, folder, limit=before)
    size = sum(path.stat().st_size for path in folder.iterdir())
    _, read = next(progress(service, folder, after))
    assert read < 0.55 * size


def test_a_404_of_a_proxy_does_not_say_that_nobody_has_an_id() -> None:
    away = httpx.MockTransport(lambda _: httpx.Response(404, text="404 page not found"))
    with Instar("http://there", transport=away) as client, pytest.raises(Refused):
        Owners(client, "notes").of("a.md#b", "a.md")
