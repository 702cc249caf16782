"""Files that browsers fetch: styles, scripts, and libraries of others at pinned versions (`static/vendor`).

Their addresses have a part of their checksum, so that a browser keeps each of them for ever, and never an old one.
"""

from functools import cache
from hashlib import sha256
from pathlib import Path

from starlette.responses import Response

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".wasm": "application/wasm",
}
_FOR_EVER = "public, max-age=31536000, immutable"


class Assets:
    """The files below `static`. `root` is the path before /console."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._files = {
            path.relative_to(_FOLDER).as_posix(): path for path in _FOLDER.rglob("*") if path.suffix in _TYPES
        }

    def address(self, name: str) -> str:
        """Return the address of a file, such as `console.css`."""
        return f"{self._root}/console/static/{_checksum(self._files[name])}/{name}"

    def response(self, name: str) -> Response | None:
        """Return the file; None if there is none."""
        path = self._files.get(name)
        if path is None:
            return None
        return Response(path.read_bytes(), media_type=_TYPES[path.suffix], headers={"Cache-Control": _FOR_EVER})


@cache
def _checksum(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()[:12]
