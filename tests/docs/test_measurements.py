"""The published figures are those that the benchmarks wrote."""

import json

from benchmarks import hero, hero_picture, report


def test_the_report_is_made_of_the_results() -> None:
    assert report.REPORT.read_text() == report.build()
    text = report.README.read_text()
    assert report.readme(text) == text
    text = report.SCALING.read_text()
    assert report.scaling(text) == text
    text = report.SIZES.read_text()
    assert report.sized(text) == text
    text = report.CHOOSING.read_text()
    assert report.choosing(text) == text


def test_the_picture_of_the_readme_is_made_of_the_results() -> None:
    measured = json.loads(hero.RESULTS.read_text(encoding="utf-8"))
    assert hero_picture.PICTURE.read_text(encoding="utf-8") == hero_picture.svg(measured)
    assert f"![{hero_picture.says(measured)}](docs/hero.svg)" in report.README.read_text(encoding="utf-8")
