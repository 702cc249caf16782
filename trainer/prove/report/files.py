"""A report as files: `report.json` and `verdict.json` for programs, and one self-contained `report.html` for people."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from service.machine.files import replace_file
from trainer.prove.gate import Verdict
from trainer.prove.metrics import NDCG
from trainer.prove.report import plots
from trainer.prove.report.links import Links
from trainer.prove.report.model import Report


def write(report: Report, verdict: Verdict, folder: Path, links: Links | None = None) -> None:
    """Write all three files into `folder`, each whole or not at all. Equal reports give equal bytes.

    With `links` the page's questions lead to a console.
    """
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / "report.json", report.model_dump_json(indent=1))
    replace_file(folder / "verdict.json", verdict.model_dump_json(indent=1))
    replace_file(folder / "report.html", page(report, verdict, links))


def page(report: Report, verdict: Verdict, links: Links | None = None) -> str:
    """The page as HTML. Texts of the data are escaped."""
    environment = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja").render(
        report=report,
        verdict=verdict,
        links=links,
        gain=report.differences[NDCG],
        reductions=report.savings(enough=verdict.outcome != "INSUFFICIENT"),
        advice=report.without_training,
        recall_plot=plots.recall_by_k(report.recall_by_k),
        rank_plot=plots.ranks(report.queries),
        change_plot=plots.changes(report.queries),
    )
