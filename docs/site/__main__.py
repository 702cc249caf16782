"""`make site`: the documents as a site, which any host of static files takes.

Its pages are those to which docs/index.md leads, at the paths that they have in the repository, so that the links
between them hold as they stand. A page that shows it is made for each file of another kind to which they lead. The
navigation is docs/index.md.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from docs.site.notebook import FENCE, as_markdown

_ROOT = Path(__file__).resolve().parents[2]
_SITE = Path(__file__).resolve().parent
_ICON = _ROOT / "service" / "console" / "static" / "icon.svg"
_HOME = "README.md"
_INDEX = "docs/index.md"
# The path in a link, without the section to which it may lead. A link to another place has a scheme.
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:)[^)#\s]+")
_DOT = re.compile(r"(?<![^/])\.(?=\w)")
_SECTION = re.compile(r"^## (.*)$", re.MULTILINE)
_PAGES = {".md", ".ipynb"}
_PICTURES = {".png", ".svg"}
_LANGUAGES = {"Dockerfile": "docker", ".importlinter": "ini", ".cfg": "text", ".mjs": "js", ".service": "ini"}


class Failed(Exception):
    """The site cannot be built, for the reason that it says."""


def main(arguments: list[str]) -> int:
    """Build the site in the folder that is named; returns the exit code."""
    if len(arguments) != 1:
        print("usage: python -m docs.site FOLDER", file=sys.stderr)
        return 2
    try:
        build(_ROOT, Path(arguments[0]))
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def build(root: Path, folder: Path) -> None:
    """Make `folder`, and in it `html`, the site of the repository at `root`.

    Raises Failed if a link leads nowhere, and if `folder` is there already.
    """
    if folder.exists():
        raise Failed(f"{folder} is there already: remove it, or name another folder")
    _gather(root, folder / "pages")
    shutil.copytree(_SITE / "assets", folder / "pages" / "assets")
    shutil.copy(_ICON, folder / "pages" / "assets")
    configuration = folder / "zensical.toml"
    look = (_SITE / "zensical.toml").read_text(encoding="utf-8")
    configuration.write_text(f"{look}{_navigation(root)}\n", encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(configuration)]
    if subprocess.run(command, check=False).returncode:
        raise Failed("the site is not built: mend what is named above")
    print(f"the site is in {folder / 'html'}")


def _gather(root: Path, pages: Path) -> None:
    """Write into `pages` whatever docs/index.md leads to, directly or by other pages; raises Failed."""
    waiting, met = [_INDEX], {_INDEX}
    while waiting:
        path = waiting.pop()
        target = pages / _place(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if Path(path).suffix in _PICTURES:
            shutil.copyfile(root / path, target)
        elif Path(path).suffix in _PAGES:
            text = _text(root, path)
            target.write_text(_LINK.sub(lambda link: _place(link[0]), text), encoding="utf-8")
            linked = set(_linked(root, path, text)) - met
            waiting += linked
            met |= linked
        else:
            target.write_text(_shown(root, path), encoding="utf-8")


def _place(path: str) -> str:
    """The place of a file of the repository in the site, which leaves files out whose names begin with a dot."""
    if Path(path).suffix in _PICTURES:
        return path
    return str(Path(path).with_suffix(".md")) if Path(path).suffix in _PAGES else f"{_DOT.sub('', path)}.md"


def _text(root: Path, path: str) -> str:
    """The Markdown of a page."""
    text = (root / path).read_text(encoding="utf-8")
    return as_markdown(text) if path.endswith(".ipynb") else text


def _shown(root: Path, path: str) -> str:
    """A page that shows a file. It is not searched, because people look for what the documents say."""
    name = Path(path).name
    suffix = Path(path).suffix
    language = _LANGUAGES.get(name) or _LANGUAGES.get(suffix) or suffix[1:] or "text"
    text = (root / path).read_text(encoding="utf-8").rstrip()
    return f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n{FENCE}{language}\n{text}\n{FENCE}\n"


def _linked(root: Path, path: str, text: str) -> Iterator[str]:
    """The files to which a text of the page `path` leads, as paths from the root; raises Failed if one is not there."""
    for link in _LINK.findall(text):
        file = (root / path).parent.joinpath(link).resolve()
        if not (file.is_file() and file.is_relative_to(root)):
            raise Failed(f"{path} links to {link}, which is no file of the repository: mend the link")
        yield file.relative_to(root).as_posix()


def _navigation(root: Path) -> str:
    """The sections of docs/index.md and the pages in each, as TOML; a page is where it is named first."""
    _, *parts = _SECTION.split((root / _INDEX).read_text(encoding="utf-8"))
    listed = [_HOME, _INDEX]
    rows = [f"  {json.dumps(page)}," for page in listed]
    for section, text in zip(parts[::2], parts[1::2], strict=True):
        linked = dict.fromkeys(_linked(root, _INDEX, text))
        pages = [page for page in linked if Path(page).suffix in _PAGES and page not in listed]
        rows.append(f"  {{ {json.dumps(section)} = {json.dumps([_place(page) for page in pages])} }},")
        listed += pages
    return "\n".join(["nav = [", *rows, "]"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
