"""Pages and documents become their own words, and one that is broken says so and ends no load."""

import struct
import zipfile
import zlib
from contextlib import suppress
from html import escape
from io import BytesIO
from pathlib import Path

import pytest

from instar.loading.piece import Unreadable
from instar.loading.reading import SUFFIXES, pieces_of

ZIPPED = (".docx", ".pptx", ".xlsx", ".epub")
# A document that nobody reads without the password.
LOCKED = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj
3 0 obj<</Filter/Standard/V 1/R 2/O<00>/U<00>/P -4>>endobj
trailer<</Root 1 0 R/Size 4/Encrypt 3 0 R/ID[<00><00>]>>
"""


def read(folder: Path, name: str, content: str | bytes) -> list[tuple[tuple[str, ...], str]]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(piece.headings, piece.text) for piece in pieces_of(path)]


def archive(**members: bytes) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as opened:
        for name, member in members.items():
            opened.writestr(name, member)
    return content.getvalue()


def pdf(*pages: str) -> bytes:
    """A PDF with the lines of each page, whose table of objects a reader has to make itself."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>", "", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    for page in pages:
        drawn = "BT /F 12 Tf 72 720 Td 14 TL " + " ".join(f"({line}) Tj T*" for line in page.split("\n")) + " ET"
        layout = "/Resources<</Font<</F 3 0 R>>>>/MediaBox[0 0 612 792]"
        objects.append(f"<</Type/Page/Parent 2 0 R{layout}/Contents {len(objects) + 2} 0 R>>")
        objects.append(f"<</Length {len(drawn)}>>stream\n{drawn}\nendstream")
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects[1] = f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>"
    numbered = "".join(f"{number} 0 obj\n{each}\nendobj\n" for number, each in enumerate(objects, 1))
    return f"%PDF-1.4\n{numbered}trailer\n<</Root 1 0 R/Size {len(objects) + 1}>>\n%%EOF\n".encode()


def docx(*paragraphs: str) -> bytes:
    """A document with the paragraphs, and a heading and its text below them."""
    office = "http://schemas.openxmlformats.org"
    main = f"{office}/wordprocessingml/2006/main"
    related = f"{office}/officeDocument/2006/relationships/officeDocument"
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    heading = '<w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>End # 1</w:t></w:r>'
    body = "".join(f"<w:p>{each}</w:p>" for each in (*paragraphs, heading, "<w:r><w:t>Text.</w:t></w:r>"))
    members = {
        "[Content_Types].xml": f'<Types xmlns="{office}/package/2006/content-types">'
        f'<Override PartName="/word/document.xml" ContentType="{kind}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{office}/package/2006/relationships"><Relationship Id="r1"'
        f' Type="{related}" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{main}"><w:body>{body}</w:body></w:document>',
    }
    return archive(**{name: member.encode() for name, member in members.items()})


def test_no_line_of_a_pdf_is_a_heading_so_that_none_is_lost(tmp_path: Path) -> None:
    pages = "---\nStops: all\n---\n# Stop the pump first\n# Close the valve", "Then wait.\n----------\nOpen it."
    ((headings, text),) = read(tmp_path, "pump.pdf", pdf(*pages))
    assert headings == ("pump",)
    assert text.split() == "\n".join(pages).split()


def test_lines_across_a_page_hold_no_front_matter(tmp_path: Path) -> None:
    page = "<hr><p>Closed: on Mondays</p><hr><p>Ask us.</p>"
    assert read(tmp_path, "page.html", page) == [(("page",), "---\n\nClosed: on Mondays\n\n---\n\nAsk us.")]


LINES = ("# Stop the pump", "---", "```", "~~~", "<!-- no comment", "C # is a language", "- item", "=")


@pytest.mark.parametrize("suffix", [".html", ".docx"])
def test_no_sign_in_a_text_begins_a_block_of_markdown(tmp_path: Path, suffix: str) -> None:
    if suffix == ".html":
        lines = "".join(f"<p>{escape(line)}<br>{escape(line)}</p>" for line in LINES)
        content = f"{lines}<h1>End # 1</h1><p>Text.</p>".encode()
    else:
        content = docx(*(f"<w:r><w:t>{escape(line)}</w:t><w:br/><w:t>{escape(line)}</w:t></w:r>" for line in LINES))
    before, end = read(tmp_path, f"page{suffix}", content)
    assert before[0] == ("page",)
    assert before[1].replace("\\", "").split() == " ".join(f"{line} {line}" for line in LINES).split()
    assert "\nC # is a language" in before[1]
    assert "\n- item" in before[1]
    assert end == (("End # 1",), "Text.")


def test_a_fence_in_code_does_not_end_it(tmp_path: Path) -> None:
    page = "<pre>```sh\n# run it\nmake\n```</pre><h1>End</h1><p>Text.</p>"
    code = "```\n```sh\n# run it\nmake\n    ```\n```"
    assert read(tmp_path, "page.html", page) == [(("page",), code), (("End",), "Text.")]


def test_the_title_of_an_article_stands_in_its_header(tmp_path: Path) -> None:
    page = (
        "<header>Our shop</header><main><article><header><h1>How to return a parcel</h1></header>"
        "<p>Bring it.</p></article></main>"
    )
    assert read(tmp_path, "page.html", page) == [(("How to return a parcel",), "Bring it.")]


def test_each_article_of_a_page_is_read(tmp_path: Path) -> None:
    page = (
        "<header>Our shop</header><nav>Home</nav><article><header><h2>One</h2></header><p>First.</p></article>"
        "<article><h2>Two</h2><p>Second.</p></article><footer>Imprint</footer>"
    )
    assert read(tmp_path, "page.html", page) == [(("One",), "First."), (("Two",), "Second.")]


def test_the_only_article_is_the_page_and_comments_within_it_are_its(tmp_path: Path) -> None:
    page = "<div>Ours since 1900</div><article><h1>One</h1><p>First.</p><article>A comment</article></article>"
    assert read(tmp_path, "page.html", page) == [(("One",), "First.\n\nA comment")]


def test_a_main_part_by_role_keeps_all_its_articles(tmp_path: Path) -> None:
    page = '<div role="main"><header><h1>One</h1></header><article>First.</article><p>More.</p></div><p>Aside</p>'
    assert read(tmp_path, "page.html", page) == [(("One",), "First.\n\nMore.")]


def test_a_text_before_all_headings_stands_below_the_title_of_the_page(tmp_path: Path) -> None:
    page = "<head><title>Lost &amp;\n found</title></head><body><svg><title>A logo</title></svg><p>Ask us.</p></body>"
    assert read(tmp_path, "p17.html", page) == [(("Lost & found",), "Ask us.")]
    assert read(tmp_path, "p17.html", "<svg><title>A logo</title></svg><p>Ask us.</p>") == [(("p17",), "Ask us.")]


def test_a_page_within_a_form_is_read_and_a_form_that_asks_is_not(tmp_path: Path) -> None:
    asking = "<form>Your address <select><option>Mr</option></select><button>Send</button></form>"
    page = f"<form action='page.aspx'><div><h1>Parcels</h1><p>They go out at noon.</p></div>{asking}</form>"
    assert read(tmp_path, "page.html", f"<body>{page}</body>") == [(("Parcels",), "They go out at noon.")]
    for form in (asking, f"<form>{asking}</form>"):
        assert read(tmp_path, "page.html", f"<body><p>Ask.</p>{form}</body>") == [(("page",), "Ask.")]


@pytest.mark.parametrize(
    "heading",
    [
        "<h2><button>Can I return it?</button></h2>",
        "<button><h2>Can I return it?</h2></button>",
        '<h2><a class="header-anchor" href="#x"><span>Can I return it?</span></a></h2>',
        '<h2>Can I return it?<a class="headerlink" href="#x">¶</a></h2>',
        '<h2>Can I return it?<a class="anchor" href="#x">Link to this</a></h2>',
        '<h2><button>Can I return it?</button><a class="anchor" href="#x">Link to this</a></h2>',
        "<h2>Can I return it? <button>Copy link</button></h2>",
        "<h2><button>+</button><button>Copy link</button> Can I return it?</h2>",
        '<h2><a class="header-anchor" href="#x">Can I return it?</a><button>Copy link</button></h2>',
    ],
)
def test_a_heading_keeps_its_own_words_alone(tmp_path: Path, heading: str) -> None:
    page = f"{heading}<p>Yes.</p><button>Buy</button>"
    assert read(tmp_path, "page.html", page) == [(("Can I return it?",), "Yes.")]


def test_notes_are_text_and_what_else_stands_aside_is_none(tmp_path: Path) -> None:
    notes = '<aside class="admonition warning">Mind it.</aside><aside class="footnote brackets">As said.</aside>'
    page = f'<main><p>Run.</p>{notes}<aside class="sidebar">News</aside><aside>More</aside></main>'
    ((_, text),) = read(tmp_path, "page.html", page)
    assert text.split("\n\n") == ["Run.", "Mind it.", "As said."]


def test_letters_of_a_page_are_those_that_it_has(tmp_path: Path) -> None:
    sentence = "Ürün iadesi için şubeye başvurun."
    page = f"<h1>{sentence}</h1><p>{sentence}</p>"
    for content in (page.encode(), page.encode("utf-16"), f'<meta charset="windows-1254">{page}'.encode("cp1254")):
        assert read(tmp_path, "page.html", content) == [((sentence,), sentence)]
    for encoding in ("utf-16", "UTF-16LE", "utf-32", "no-such"):
        for end in ("", "."):
            declared = f'<meta charset="{encoding}">{page}<p>{end}</p>'
            assert read(tmp_path, "page.html", declared.encode())[0][0] == (sentence,)
    for encoding in ("utf-16", "utf-32", "utf-8-sig"):
        plain = '<meta charset="windows-1254"><h1>Returns</h1><p>Ask.</p>'
        assert read(tmp_path, "page.html", plain.encode(encoding)) == [(("Returns",), "Ask.")]


@pytest.mark.parametrize("suffix", [".pdf", *ZIPPED])
@pytest.mark.parametrize(
    "content",
    [b"", b"just words", b"PK\x03\x04 broken", b"%PDF-1.4\n\x00 broken", bytes(range(256)) * 9, archive(a=b"b")],
    ids=["empty", "words", "half a ZIP", "half a PDF", "bytes", "another ZIP"],
)
def test_a_broken_document_says_why(tmp_path: Path, suffix: str, content: bytes) -> None:
    with pytest.raises(Unreadable, match=r"it cannot be converted \(.+\): is it whole, and what its name says\?"):
        read(tmp_path, f"broken{suffix}", content)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("page.html", "<p>One.</p><![foo[ … ]]>", r"it cannot be converted \(.*unknown status keyword 'foo'"),
        ("page.rst", "- " * 400 + "item", "nested too deeply: take"),
        ("page.md", f"---\ntitle: {'[' * 1000}\n---\nText.\n", "nested too deeply: take"),
        ("rows.csv", 'id,text\n1,"open\n', "line 2 is no CSV"),
        ("rows.jsonl", '{"text": ' + "[" * 5000, "line 1 is no JSON"),
        ("locked.pdf", LOCKED, "it needs a password: save it without one"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, content: str | bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(tmp_path, name, content)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_no_bytes_of_any_name_end_a_load(tmp_path: Path, suffix: str) -> None:
    noise = zlib.compress(struct.pack("<256H", *range(256)))
    marked = b"\xef\xbb\xbf<main>`x`_ |y| .. z::\n\n   {/*<A\n\n\xe4"
    deep = b"<div>" * 800 + b"\n" + b"> " * 800 + b"x"
    for content in (b"", b"\n", b"\0", noise, marked, deep, "ö€".encode("utf-16")):
        with suppress(Unreadable):
            read(tmp_path, f"odd{suffix}", content)


@pytest.mark.parametrize("suffix", [".md", ".txt", ".rst", ".mdx"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_texts_are_read_in_what_they_say_they_are_in(tmp_path: Path, suffix: str, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    content = f"{mark}Öffnung: 5 €\r\nZu.\r\n".encode(encoding)
    assert read(tmp_path, f"a{suffix}", content) == [(("a",), "Öffnung: 5 €\nZu.")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mark_before_the_first_name_of_a_table_is_no_part_of_it(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("id;text\r\n7;Öffnung\r\n".encode(encoding))
    (piece,) = pieces_of(path)
    assert (piece.identity, piece.text) == ("7", "Öffnung")


@pytest.mark.parametrize("suffix", [".md", ".mdx"])
def test_two_halves_of_a_title_are_one_character(tmp_path: Path, suffix: str) -> None:
    page = '---\ntitle: "\\uD83D\\uDE80 Launch \\uD83D"\n---\nSoon.\n'
    assert read(tmp_path, f"page{suffix}", page) == [(("\U0001f680 Launch \ufffd",), "Soon.")]


def test_half_a_character_in_the_title_of_a_page_is_a_sign_for_it(tmp_path: Path) -> None:
    page = '<head><meta charset="utf-7"><title>+2AA- Launch</title></head><body><p>Soon.</p></body>'
    assert read(tmp_path, "page.html", page) == [(("\ufffd Launch",), "Soon.")]


def test_another_encoding_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"it is not in UTF-8 \(byte 10\): convert it, or save it as UTF-8"):
        read(tmp_path, "rows.csv", "id,text\n1,Öffnung\n".encode("cp1252"))
