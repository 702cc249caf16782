"""The published figures are those that the benchmarks wrote."""

from benchmarks import report


def test_the_report_is_made_of_the_results() -> None:
    assert report.REPORT.read_text() == report.build()
    text = report.README.read_text()
    assert report.readme(text) == text
    text = report.SCALING.read_text()
    assert report.scaling(text) == text
    text = report.SIZES.read_text()
    assert report.sized(text) == text
