"""The published figures are those that the benchmarks wrote."""

import json
from itertools import pairwise

from benchmarks import hero, hero_picture, looks, report
from trainer.prove.levels import level


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
    text = report.TUNING.read_text()
    assert report.looked(text) == text
    assert looks.table(json.loads(looks.RESULTS.read_text())) in text


def test_the_picture_of_the_readme_is_made_of_the_results() -> None:
    measured = json.loads(hero.RESULTS.read_text(encoding="utf-8"))
    assert hero_picture.PICTURE.read_text(encoding="utf-8") == hero_picture.svg(measured)
    assert f"![{hero_picture.says(measured)}](docs/hero.svg)" in report.README.read_text(encoding="utf-8")


def test_looks_cost_what_the_gate_says_and_more_of_them_cost_more() -> None:
    plans = json.loads(looks.RESULTS.read_text())["plans"]
    assert abs(plans["once, at 250"] - level(250) / 2) < 0.002
    assert plans.keys() > looks.PLANS.keys()
    growing = [looks.wrong(looks.PLANS["at these and 960"][:count], 20_000) for count in range(1, 6)]
    assert all(one < other for one, other in pairwise(growing))
    assert abs(growing[-1] - plans["at these and 960"]) < 0.01
