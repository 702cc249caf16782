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


def test_code_in_a_line_stays_whatever_signs_are_in_it() -> None:
    for text in (
        "Use the `<Card>` component or `Promise<Response>`.",
        "If `x<Y` holds, all of this sentence\nis read. And a > b.",
        "A comment is `{/* hidden */}`, and ``a ` <B>`` one span.",
        "```a <B>``` is one, too.\n\nAnd more.",
    ):
        assert markdown_of(text) == text
    assert markdown_of("`a <B>x</B>\n\n<C a={`>`}>c</C>") == "`a x\n\nc"


def test_a_line_of_a_paragraph_is_no_module() -> None:
    move = "To move house you first\nexport all of your documents, and then\nimport them there.\n"
    assert markdown_of(move) == move
    page = (
        "---\ntitle: A\n---\nimport A from 'a'\n\n# B\nimport B from 'b'\n\n{/* c */}\nexport const c = `c`\n\nText.\n"
    )
    assert markdown_of(page).split() == ["---", "title:", "A", "---", "#", "B", "Text."]


def test_a_fence_beside_a_tag_or_in_a_list_is_one() -> None:
    tabs = "<Tabs>\n  <Tab>```js\n  a = <A>\n    import b\n  ```</Tab>\n  # More\n</Tabs>\n"
    page = f"{tabs}\n- ```sh\n  <X>\n  ```\n<Y>Text.</Y>\n"
    lines = [line for line in markdown_of(page).splitlines() if line.strip()]
    assert lines == ["```js", "a = <A>", "  import b", "```", "# More", "- ```sh", "  <X>", "  ```", "Text."]
