"""Markdown is cut at its headings, and at nothing that looks like one."""

from instar.loading.markdown import pieces


def read(text: str) -> list[tuple[tuple[str, ...], str]]:
    return [(piece.headings, piece.text) for piece in pieces(text, "the file")]


def test_each_text_has_the_headings_above_it() -> None:
    text = "Before.\n\n# Guide\n\n## Install\n\nRun it.\n\n### Docker\n\nPull it.\n\n## Use\n\nAsk it.\n"
    assert read(text) == [
        (("the file",), "Before."),
        (("Guide", "Install"), "Run it."),
        (("Guide", "Install", "Docker"), "Pull it."),
        (("Guide", "Use"), "Ask it."),
    ]


def test_a_comment_in_a_code_block_and_a_heading_in_a_quotation_are_none() -> None:
    text = "# Guide\n\n```bash\n# install it\nmake\n```\n\n> # said\n> somebody\n"
    assert read(text) == [(("Guide",), "```bash\n# install it\nmake\n```\n\n> # said\n> somebody")]


def test_underlined_headings_and_marks_within_headings_are_read() -> None:
    assert read("The *big* `guide`\n=====\n\nText.\n") == [(("The big guide",), "Text.")]
    assert read("Of one\nname\n=====\n\nText.\n") == [(("Of one name",), "Text.")]


def test_front_matter_is_no_text_and_its_title_goes_before_the_name_of_the_file() -> None:
    assert read("---\ntitle: Shops\nweight: 3\n---\nText.\n") == [(("Shops",), "Text.")]
    # A rule between two paragraphs, and something that is no YAML.
    assert read("---\nText.\n---\nMore.\n") == [(("Text.",), "More.")]
    assert read("One.\n\n---\n\nTwo.\n") == [(("the file",), "One.\n\n---\n\nTwo.")]


def test_a_heading_without_text_is_no_piece() -> None:
    assert read("# Guide\n\n## Video\n\n---\n\n## Full\n\nText.\n") == [(("Guide", "Full"), "Text.")]
    assert read("# Guide\n\n## Empty\n\n## Full\n\nText.\n") == [(("Guide", "Full"), "Text.")]


def test_a_page_break_and_other_line_ends_move_no_heading() -> None:
    text = "# One\n\nFirst\x0cpage\u2028and\x85more.\n\n## Two\n\nSecond.\n"
    expected = [(("One",), "First\x0cpage\u2028and\x85more."), (("One", "Two"), "Second.")]
    assert read(text) == expected
    assert read(text.replace("\n", "\r\n")) == expected


def test_a_date_that_there_is_not_makes_no_front_matter_unreadable() -> None:
    assert read("---\ntitle: Shops\ndate: 2026-02-30\n---\nText.\n") == [(("Shops",), "Text.")]
