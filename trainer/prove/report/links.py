"""Addresses of a report's questions in the console of a service."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

# Longer questions have no address, because servers refuse it.
_MOST_CHARACTERS = 1000
_HOST = re.compile(r"[\w.:-]+")


@dataclass(frozen=True)
class Links:
    """The addresses of questions below `console`.

    `generations` are the numbers of the base and of the tuned model there, if the service has both.
    """

    console: str
    generations: tuple[int, int] | None = None

    @classmethod
    def to(cls, service: str | None, generations: tuple[int, int] | None = None) -> Self | None:
        """Links to the console of the service at that address; None if a browser cannot open it by http or https."""
        console = _console(service or "")
        return None if console is None else cls(console, generations)

    def search(self, question: str, collection: str | None) -> str | None:
        """The address that searches the question; None if the question is too long for one."""
        return self._address(question, {"collection": collection})

    def side_by_side(self, question: str, collection: str | None) -> str | None:
        """The address that searches it in both generations; None if there are none."""
        if self.generations is None:
            return None
        left, right = self.generations
        return self._address(question, {"collection": collection, "left": str(left), "right": str(right)})

    def _address(self, question: str, parameters: dict[str, str | None]) -> str | None:
        if len(question) > _MOST_CHARACTERS:
            return None
        named = {"q": question, **{name: value for name, value in parameters.items() if value is not None}}
        return f"{self.console}/search?{urlencode(named, errors='replace')}"


# A report in a package is shown at /admin/models/NAME/report, or as deep in the console, whatever stands before both.
# So its addresses lead to the console that shows it, and are equal wherever it was made.
IN_PACKAGE = Links("../../../console")


def _console(service: str) -> str | None:
    """The address of the console, without a user's name and password, which an address may have."""
    try:
        parts = urlsplit(service)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
        return None
    place = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    path = quote(parts.path.rstrip("/"), safe="/%")
    return urlunsplit((parts.scheme, place, f"{path}/console", "", ""))
