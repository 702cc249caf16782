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
_DIRECTIVE = re.compile(r"\.\. (?:\|.+?\| )?([\w:.+-]+)::")
# Their text has signs that mean something else in a paragraph.
_VERBATIM = frozenset({"code", "code-block", "sourcecode", "math", "parsed-literal"})
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
    within = _below(directive.string)
    if within and directive[1] in _VERBATIM:
        return [nodes.literal_block(within, within)]
    return list(_tree(within).children) if within else []


def _below(directive: str) -> str:
    """The text below the first line of a directive, without its options."""
    body = dedent("\n".join(directive.splitlines()[1:]))
    return re.sub(r"\A(?:\s*:[\w-]+:.*\n?)+", "", body).strip("\n").rstrip()
