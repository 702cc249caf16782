"""Addresses of a report's questions: a console by http or https alone, and nothing of a question in their way."""

from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

from trainer.prove.report.links import IN_PACKAGE, Links


@pytest.mark.parametrize(
    ("service", "console"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/console"),
        ("https://search.example.org/", "https://search.example.org/console"),
        ("https://example.org/instar", "https://example.org/instar/console"),
        ("http://ann:secret@example.org:81/x?key=1#y", "http://example.org:81/x/console"),
        ("HTTP://[::1]:8080", "http://[::1]:8080/console"),
        ('http://example.org/"><script>', "http://example.org/%22%3E%3Cscript%3E/console"),
    ],
)
def test_a_service_has_its_console_below_its_address(service: str, console: str) -> None:
    links = Links.to(service)
    assert links is not None
    assert links.console == console


@pytest.mark.parametrize(
    "service",
    [
        None,
        "",
        "judgements.json",
        "javascript:alert(1)",
        "data:text/html,x",
        "postgresql://u:p@db/docsgpt",
        "ftp://example.org",
        "file:///etc/passwd",
        "http://",
        "http:///console",
        "//example.org",
        "http://example.org:port",
        "http://[::1",
        'http://"onclick=x',
        " javascript://example.org/%0aalert(1)",
    ],
)
def test_what_no_browser_opens_by_http_has_none(service: str | None) -> None:
    assert Links.to(service) is None


@pytest.mark.parametrize(
    "question",
    [
        "how do I count my stock?",
        "a&b=c#d",
        '"><script>alert(1)</script>',
        "Größe 12,50 € — 日本",
        "a\r\nb\x00",
        "\ud800",
    ],
)
def test_a_question_is_one_parameter_and_nothing_else(question: str) -> None:
    links = Links("https://example.org/console", (3, 4))
    for address in (links.search(question, "docs & more"), links.side_by_side(question, "docs & more")):
        assert address is not None
        assert address.isascii()
        assert not set(address) & set("\"<>' \r\n")
        parts = urlsplit(address)
        assert (parts.scheme, parts.netloc, parts.path, parts.fragment) == (
            "https",
            "example.org",
            "/console/search",
            "",
        )
        sent = parse_qs(parts.query)
        assert sent["q"] == [question.encode(errors="replace").decode()]
        assert sent["collection"] == ["docs & more"]
    assert parse_qs(urlsplit(links.side_by_side(question, None) or "").query).keys() == {"q", "left", "right"}


def test_what_is_not_known_is_not_in_the_address() -> None:
    links = Links("https://example.org/console")
    assert links.search("a", None) == "https://example.org/console/search?q=a"
    assert links.side_by_side("a", None) is None
    assert links.search("x" * 1000, None)
    assert links.search("x" * 1001, None) is None


@pytest.mark.parametrize("root", ["", "/instar"])
@pytest.mark.parametrize("shown", ["/admin/models/tuned/report", "/console/reports/tuned/page"])
def test_in_a_package_it_leads_to_the_console_that_shows_it(root: str, shown: str) -> None:
    address = urljoin(f"https://example.org{root}{shown}", IN_PACKAGE.search("a", "docs"))
    assert address == f"https://example.org{root}/console/search?q=a&collection=docs"
