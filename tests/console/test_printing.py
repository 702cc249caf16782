"""A report on paper: pages are full, and no reader has to turn back to know what a column means."""

import re
from pathlib import Path

from playwright.sync_api import Browser, expect
from pypdfium2 import PdfDocument

from tests.models.trainer.test_report import full
from trainer.prove.gate import Thresholds, judge
from trainer.prove.report import files
from trainer.prove.report.files import About

EXAMPLE = re.compile(r"Example \d+:")


def test_the_head_of_the_table_is_on_each_page_and_no_example_is_parted(browser: Browser, tmp_path: Path) -> None:
    report, file = full("How do I close the day?"), tmp_path / "report.html"
    many = report.model_copy(
        update={
            "queries": [one.model_copy(update={"id": f"{one.id}-{n}"}) for n in range(50) for one in report.queries],
            "examples": [report.examples[0].model_copy(update={"text": f"Example {n}:"}) for n in range(12)],
        }
    )
    file.write_text(files.page(many, judge(many, Thresholds()), About("tuned")), encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    expect(page.get_by_label("Search")).to_be_visible()
    document = PdfDocument(page.pdf())
    page.close()
    pages = [document[number].get_textpage().get_text_range() for number in range(len(document))]
    listing = [text for text in pages if re.search(r"q\d-\d", text)]
    assert len(listing) > 3
    assert all("good, before" in text for text in listing)
    assert not any("Search" in text for text in pages)
    examples = [part for text in pages for part in EXAMPLE.split(text)[1:]]
    assert len(examples) == 12
    assert all("d1" in example and "d2" in example for example in examples)
    assert min(map(len, pages[:-1])) > 300
