"""A page in reStructuredText becomes its own words: those of Sphinx stay, and docutils says nothing between them."""

from pathlib import Path

import pytest

from instar.loading.piece import Unreadable
from instar.loading.reading import pieces_of


def read(folder: Path, content: str) -> list[tuple[tuple[str, ...], str]]:
    path = folder / "page.rst"
    path.write_text(content)
    return [(piece.headings, piece.text) for piece in pieces_of(path)]


def test_no_message_of_docutils_becomes_text(tmp_path: Path) -> None:
    page = """Guide
=====

Install |version| by `the page`_, `this <there_>`_ or plain_, as said [1]_ in [CIT2020]_ and `nobody`__ says.
A * alone stays, and `so`:ext:.

.. note::

   See `the note`_.

.. tab-set::

   Within `the tab`_ of |release|.

Full `title`_
-------------

.. include:: secret.txt

Text.
"""
    guide, title = read(tmp_path, page)
    assert guide[0] == ("Guide",)
    assert guide[1].split("\n\n") == [
        "Install version by the page, this or plain, as said [1] in [CIT2020] and nobody says.\nA \\* alone stays,"
        " and so.",
        "Note",
        "See the note.",
        "Within the tab of release.",
    ]
    assert title == (("Guide", "Full title"), "Text.")


def test_the_words_of_a_directive_with_an_option_of_sphinx_stay(tmp_path: Path) -> None:
    page = """.. code-block:: python
   :emphasize-lines: 2
   :caption: run.py

   if it:
       run(it)

.. figure:: shop.png
   :zoom: 2

   The shop at *night*.

.. math::
   :label: sum

   a + b

End.
"""
    ((_, text),) = read(tmp_path, page)
    assert text == "```\nif it:\n    run(it)\n```\n\nThe shop at *night*.\n\n```\na + b\n```\n\nEnd."


@pytest.mark.parametrize(
    ("directive", "words"),
    [
        (".. function:: f(*names, n_='r')\n              g(name)\n   :noindex:\n\n   Opens *it*.\n\n   :returns: It.",
         "f(\\*names, n\\_='r')\ng(name)\n\nOpens *it*.\n\nreturns:\n:   It."),
        (".. py:method:: C.__init__(self)", "C.\\_\\_init\\_\\_(self)"),
        (".. option:: --verbose, -v\n\n   Say more.", "--verbose, -v\n\nSay more."),
        (".. versionadded:: 3.2 The flag was *added*.", "3.2 The flag was *added*."),
        (".. versionchanged:: 3.3\n   Now :mod:`os` has it.", "3.3\nNow os has it."),
        (".. seealso:: The module :mod:`os`,\n   and others.", "The module os,\nand others."),
        (".. tab-item:: Linux\n   :sync: linux\n\n   Take it.", "Linux\n\nTake it."),
        (".. math:: a + b\n   :label: sum", "```\na + b\n```"),
        (".. only:: html\n\n   Here alone.", "Here alone."),
        (".. function:: f()\n\n   .. deprecated:: 4\n      Use g.", "f()\n\n4\nUse g."),
    ],
)  # fmt: skip
def test_the_words_beside_the_name_of_a_directive_of_sphinx_stay(tmp_path: Path, directive: str, words: str) -> None:
    assert read(tmp_path, f"Begin.\n\n{directive}\n\nEnd.\n") == [(("page",), f"Begin.\n\n{words}\n\nEnd.")]


@pytest.mark.parametrize(
    "directive",
    [
        ".. toctree::\n   :maxdepth: 2\n\n   install\n   guide/start",
        ".. index:: single: word",
        ".. py:currentmodule:: os",
        ".. literalinclude:: run.py\n   :lines: 2",
        ".. autosummary::\n   :toctree: made\n\n   os.path",
        ".. automodule:: os\n   :members:",
        ".. highlight:: python",
    ],
)
def test_lists_of_files_and_settings_of_sphinx_are_no_text(tmp_path: Path, directive: str) -> None:
    assert read(tmp_path, f"Begin.\n\n{directive}\n\nEnd.\n") == [(("page",), "Begin.\n\nEnd.")]


def test_a_configuration_beside_a_page_opens_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docutils.conf").write_text("[general]\nfile_insertion_enabled: true\n")
    (tmp_path / "secret.txt").write_text("a secret")
    monkeypatch.chdir(tmp_path)
    assert read(tmp_path, "Text.\n\n.. include:: secret.txt\n") == [(("page",), "Text.")]


def test_a_page_over_which_docutils_stumbles_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"it cannot be converted \(docutils: .+\): is it whole"):
        read(tmp_path, "Text.\n\n.. figure:: shop.png\n\n   .. role:: new\n")
