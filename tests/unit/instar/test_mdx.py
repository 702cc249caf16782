"""The words of a page in MDX stay, and what only a browser needs goes."""

from instar.loading.mdx import markdown_of


def test_modules_comments_and_tags_go_and_text_and_code_stay() -> None:
    page = (
        "import { Tabs } from 'nextra'\n\nexport const list = {\n  a: 1,\n}\n\n# Guide\n\n{/* hidden */}\n"
        '<Callout type="info" onClick={() => { a > b }}>\nMind **this**.\n</Callout>\n\n'
        "```jsx\nimport x from 'y'\n<Tabs>\n```\n\n<Image\n  src=\"a.png\"\n/>\n1 < 2 and Exports are fine.\n"
    )
    found = markdown_of(page)
    kept = "# Guide Mind **this**. ```jsx import x from 'y' <Tabs> ``` 1 < 2 and Exports are fine."
    assert " ".join(found.split()) == kept


def test_a_tag_that_does_not_end_and_a_fence_in_a_fence_are_text() -> None:
    assert markdown_of("a <Broken {\nb") == "a Broken {\nb"
    code = "````md\n```\n<A>\n```\n````\n"
    assert markdown_of(code) == code
