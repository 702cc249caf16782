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


def test_text_within_components_has_no_indentation_so_that_fences_and_headings_are_some() -> None:
    page = (
        "<Tabs items={['Linux', 'Windows']}>\n  <Tabs.Tab>\n    ### On Linux\n\n"
        "    ```bash\n    if a; then\n      b\n    fi\n"
        "    ```\n  </Tabs.Tab>\n  <Tabs.Tab>\n\n    1. Run it:\n       ```powershell\n       setup\n       ```\n"
        "  </Tabs.Tab>\n</Tabs>\n\n    a block of code\n\n<Callout>One line.</Callout>\n\n    another\n"
    )
    lines = [line for line in markdown_of(page).splitlines() if line.strip()]
    tab = ["### On Linux", "```bash", "if a; then", "  b", "fi", "```"]
    assert lines[:6] == tab
    assert lines[6:10] == ["1. Run it:", "   ```powershell", "   setup", "   ```"]
    assert lines[10:] == ["    a block of code", "One line.", "    another"]


def test_a_tag_that_does_not_end_and_a_fence_in_a_fence_are_text() -> None:
    assert markdown_of("a <Broken {\nb") == "a Broken {\nb"
    code = "````md\n```\n<A>\n```\n````\n"
    assert markdown_of(code) == code
