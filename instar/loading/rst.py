"""reStructuredText as Markdown, by docutils, with the words of what only Sphinx knows."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import dedent
from typing import Any

from instar.loading.converting import EXTRA, broken, converted
from instar.loading.piece import Unreadable

# A role that only Sphinx knows, as :ref:`the text <target>` or :class:`~package.Name`.
_ROLE = re.compile(r":[\w:.+-]+:`~?(?:([^`<]+?)\s*<[^`>]+>|([^`]+))`")
# The signs of a reference around its words: |the words|, `the words <target>`_, word_, and [1]_ but for its brackets.
_SIGNS = re.compile(r"\A(?::[\w:.+-]+:)?[`|]|\s*<[^<>]+>(?=`)|[`|](?::[\w:.+-]+:)?_{0,2}\Z|(?<=[\w\]])_{1,2}\Z")
_DIRECTIVE = re.compile(r"\.\. (?:\|.+?\| )?([\w:.+-]+)::[ \t]*")
_OPTIONS = re.compile(r"\A(?:[ \t]*:[\w-]+:.*\n?)+")
# Their text has signs that mean something else in a paragraph.
_VERBATIM = frozenset({"code", "code-block", "sourcecode", "math", "parsed-literal"})
# Their first line is a setting and no word of the page.
_SET = frozenset({"code", "code-block", "sourcecode", "figure", "image", "only", "ifconfig", "rst-class", "cssclass"})
# Lists of files and names, and settings.
_SILENT = frozenset(
    {"toctree", "autosummary", "index", "literalinclude", "highlight", "tabularcolumns", "currentmodule", "program"}
)
# Their first lines are names and signatures, whose signs are meant as they are.
_NAMING = re.compile(
    r"(?:[\w-]+:)?(?:function|class|method|classmethod|staticmethod|property|attribute|data|exception|decorator(?:method)?"
    r"|module|option|cmdoption|envvar|confval|setting|program|macro|type|struct|union|enum|enumerator|var|member|alias"
    r"|describe|object)"
)
_ERROR = 3
_SETTINGS = {
    # Above the highest level: nothing is said beside the text, and nothing stops the reading.
    "report_level": 5,
    "halt_level": 5,
    "raw_enabled": False,
    "file_insertion_enabled": False,
    # A `docutils.conf` where the command is run could allow both.
    "_disable_config": True,
    "doctitle_xform": False,
    "initial_header_level": 1,
    "embed_stylesheet": False,
}


def markdown_of(text: str) -> str:
    """The text of a page in reStructuredText as Markdown, with the words below what only Sphinx knows."""
    try:
        from docutils.core import publish_from_doctree  # noqa: PLC0415
    except ImportError as error:
        raise Unreadable(EXTRA) from error
    tree = _tree(text)
    with _stumbling():
        page: bytes = publish_from_doctree(tree, writer="html5", settings_overrides=_SETTINGS)
    return converted(page, ".html", "utf-8")


@contextmanager
def _stumbling() -> Iterator[None]:
    """Make errors of docutils Unreadable: its own, and those of odd pages, as a figure below which is only a role."""
    from docutils import ApplicationError  # noqa: PLC0415

    try:
        yield
    except (ApplicationError, AssertionError, AttributeError, LookupError, NameError, TypeError, ValueError) as error:
        raise broken(f"docutils: {error}") from error


def _tree(text: str) -> Any:
    """The page as docutils' tree, without messages, in which what is not understood has left its words."""
    from docutils import nodes  # noqa: PLC0415
    from docutils.core import publish_doctree  # noqa: PLC0415

    plain = _ROLE.sub(lambda role: role[1] or role[2], text)
    with _stumbling():
        tree = publish_doctree(plain, settings_overrides=_SETTINGS)
    for message in list(tree.findall(nodes.system_message)):
        message.parent.replace(message, _refused(message))
    for reference in list(tree.findall(nodes.problematic)):
        said = reference.astext()
        reference.parent.replace(reference, nodes.Text(_SIGNS.sub("", said) or said))
    # Those of references that lead nowhere would become a section when the page is written.
    tree.parse_messages.clear()
    tree.transform_messages.clear()
    return tree


def _refused(message: Any) -> list[Any]:
    """The text of a directive for which docutils left the message, because it or one of its options is unknown."""
    from docutils import nodes  # noqa: PLC0415

    source = next(message.findall(nodes.literal_block), None)
    directive = _DIRECTIVE.match(source.astext()) if source is not None and message["level"] >= _ERROR else None
    if directive is None:
        return []
    first, _, below = directive.string[directive.end() :].partition("\n")
    return _words(directive[1], first.strip(), dedent(below))


def _words(name: str, first: str, below: str) -> list[Any]:
    """The words of a directive: those beside its name and in the lines that go on there, and those below."""
    from docutils import nodes  # noqa: PLC0415

    if name.rpartition(":")[2] in _SILENT:
        return []
    if name in _SET or name.startswith("auto"):
        first = ""
    if name in _VERBATIM:
        text = "\n".join(filter(None, (first, _OPTIONS.sub("", below).strip("\n").rstrip())))
        return [nodes.literal_block(text, text)] if text else []
    if _NAMING.fullmatch(name):
        lines, below = _going_on(below)
        named = "\n".join((first, *lines))
        return [nodes.paragraph(named, named), *_tree(_OPTIONS.sub("", below)).children]
    is_option = _OPTIONS.match(below)
    text = f"{first}\n\n{_OPTIONS.sub('', below)}" if is_option else f"{first}\n{below}"
    return list(_tree(text).children) if text.strip() else []


def _going_on(below: str) -> tuple[list[str], str]:
    """The lines with which a first line goes on until an option or an empty line, and what is below these."""
    lines = below.split("\n")
    end = next((number for number, line in enumerate(lines) if not line.strip() or _OPTIONS.match(line)), len(lines))
    return [line.strip() for line in lines[:end]], "\n".join(lines[end:])
