"""The site of the documents: all are in its navigation, every link leads somewhere, and it needs no other host."""

import re
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import pytest

from docs.site.__main__ import Failed, build
from tests.console.browser import Watched, launched
from tests.docs.test_links import PAGES, ROOT

# What a browser fetches by itself; it follows other links when a reader does.
_FETCHED = {"script": "src", "img": "src", "source": "src", "iframe": "src"}
_STAYS = {"canonical", "next", "prev", "alternate"}


class Page(HTMLParser):
    """What one page of the site links to, fetches and shows."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.navigation: list[str] = []
        self.fetched: list[str] = []
        self.ids: set[str] = set()
        self.paragraphs: list[str] = []
        self._in_paragraph = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.ids.add(attributes.get("id", ""))
        if tag in _FETCHED and _FETCHED[tag] in attributes:
            self.fetched.append(attributes[_FETCHED[tag]])
        if tag == "link" and attributes.get("rel") not in _STAYS:
            self.fetched.append(attributes["href"])
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
            if "md-nav__link" in attributes.get("class", ""):
                self.navigation.append(attributes["href"])
        # A browser ends a paragraph before a block.
        self._in_paragraph = tag == "p" or (self._in_paragraph and tag not in {"div", "table", "ul", "ol", "pre"})
        if tag == "p":
            self.paragraphs.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_paragraph = self._in_paragraph and tag != "p"

    def handle_data(self, data: str) -> None:
        if self._in_paragraph:
            self.paragraphs[-1] += data


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the whole site."""
    folder = tmp_path_factory.mktemp("site") / "built"
    build(ROOT, folder)
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """All pages but the one of a host that has none for an address."""
    return {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}


def place(document: Path) -> str:
    """Where a document is in the site."""
    path = document.resolve().relative_to(ROOT).with_suffix(".html")
    return str(path.with_stem("index") if path.stem == "README" else path)


def target(page: Path, link: str) -> Path:
    """The file to which a link of a page leads."""
    path = unquote(urlsplit(link).path)
    return (page.parent / path).resolve() if path else page


def test_every_document_is_in_the_navigation(site: Path, pages: dict[Path, Page]) -> None:
    home = site / "index.html"
    reached = {target(home, link) for link in pages[home].navigation}
    assert {str(path.relative_to(site)) for path in reached} == {place(document) for document in PAGES}


def test_every_link_leads_somewhere(pages: dict[Path, Page]) -> None:
    lost = []
    for path, page in pages.items():
        for link in (*page.links, *page.fetched):
            if urlsplit(link).scheme:
                continue
            to = target(path, link)
            section = urlsplit(link).fragment
            if not to.is_file() or (section and to in pages and unquote(section) not in pages[to].ids):
                lost.append(f"{link} in {path}")
    assert lost == []


def test_no_page_fetches_anything_from_another_host(site: Path, pages: dict[Path, Page]) -> None:
    fetched = [url for page in pages.values() for url in page.fetched]
    styles = [path.read_text(encoding="utf-8") for path in site.rglob("*.css")]
    fetched += [url for style in styles for url in re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')]+)", style)]
    assert len(styles) > 1
    assert [url for url in fetched if urlsplit(url).netloc] == []


def test_what_github_shows_as_a_list_or_a_table_is_one_here_as_well(pages: dict[Path, Page]) -> None:
    # Python's Markdown wants an empty line before each, GitHub's does not.
    paragraphs = [text for page in pages.values() for text in page.paragraphs]
    assert len(paragraphs) > 500
    assert [text for text in paragraphs if re.search(r"^(?:[-*] |\| |```)", text, re.MULTILINE)] == []


@pytest.mark.parametrize("link", ["nowhere.md", "page.md#nowhere", "nowhere.py"])
def test_a_link_that_leads_nowhere_fails_the_build(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], link: str
) -> None:
    root = tmp_path / "repository"
    (root / "docs").mkdir(parents=True)
    (root / "README.md").write_text("# Home\n")
    (root / "docs" / "page.md").write_text(f"# Page\n\n[a link]({link})\n")
    (root / "docs" / "index.md").write_text("# Index\n\n## Begin\n\n[home](../README.md), [page](page.md)\n")
    with pytest.raises(Failed) as failure:
        build(root, tmp_path / "site")
    # The generator says itself what it misses.
    assert re.search("is no file|does not exist", f"{failure.value}{capfd.readouterr().err}")


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """The address of the site at a host of static files."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(site)))
    Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.nightly
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_every_page_whole_and_asks_no_other_host(address: str, scheme: str) -> None:
    with launched() as browser:
        watched = Watched(browser, address, scheme=scheme, width=400)
        wide = []
        for document in PAGES:
            page = watched.open(f"/{place(document)}")
            if page.evaluate("document.documentElement.scrollWidth") > 400:
                wide.append(place(document))
        assert wide == []
        assert watched.complaints == []
        assert watched.asked_elsewhere == []


@pytest.mark.nightly
def test_the_search_finds_what_the_documents_say(address: str) -> None:
    with launched() as browser:
        page = Watched(browser, address).open("/index.html")
        page.keyboard.press("/")
        page.keyboard.type("rollback")
        page.get_by_role("link", name=re.compile("operating", re.IGNORECASE)).first.wait_for()
