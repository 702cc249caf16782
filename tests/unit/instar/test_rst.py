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


def test_a_configuration_beside_a_page_opens_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docutils.conf").write_text("[general]\nfile_insertion_enabled: true\n")
    (tmp_path / "secret.txt").write_text("a secret")
    monkeypatch.chdir(tmp_path)
    assert read(tmp_path, "Text.\n\n.. include:: secret.txt\n") == [(("page",), "Text.")]


def test_a_page_over_which_docutils_stumbles_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"it cannot be converted \(docutils: .+\): is it whole"):
        read(tmp_path, "Text.\n\n.. figure:: shop.png\n\n   .. role:: new\n")
