"""A report as files: `report.json` and `verdict.json` for programs, and one self-contained `report.html` for people."""

from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from service.machine.files import replace_file
from trainer.prove.gate import Thresholds, Verdict
from trainer.prove.metrics import NDCG
from trainer.prove.report import plots, words
from trainer.prove.report.advice import next_step, unknown
from trainer.prove.report.links import IN_PACKAGE, Links
from trainer.prove.report.model import Report
from trainer.prove.report.words import Origin

_SCRIPT = (Path(__file__).parent / "report.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class About:
    """The things that a page says beside the report: the package's name, its console, and how it came about.

    A page in a package has no origin, so that equal runs give equal packages, and no script, because a console shows it
    where none may run.
    """

    name: str | None = None
    links: Links | None = None
    origin: Origin | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)

    @property
    def script(self) -> str:
        """The script that searches and sorts the questions."""
        return "" if self.links is IN_PACKAGE else _SCRIPT


def write(report: Report, verdict: Verdict, folder: Path, about: About) -> None:
    """Write all three files into `folder`, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / "report.json", report.model_dump_json(indent=1))
    replace_file(folder / "verdict.json", verdict.model_dump_json(indent=1))
    replace_file(folder / "report.html", page(report, verdict, about))


def _source(script: str) -> str:
    """The scripts that the page lets run (Content Security Policy 3, "hash-source")."""
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" if script else "'none'"


def page(report: Report, verdict: Verdict, about: About) -> str:
    """The page as HTML. Texts of the data are escaped, and no script runs but the page's own."""
    command = about.origin.spelled if about.origin else unknown
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
        links=about.links,
        origin=about.origin,
        headline=words.headline(report),
        why=words.why(report, verdict, about.thresholds),
        next_step=next_step(report, verdict, about.thresholds, command, about.name),
        alike=words.alike(report),
        moves=words.moves,
        gain=report.differences[NDCG],
        reductions=report.savings(enough=verdict.outcome != "INSUFFICIENT"),
        advice=report.without_training,
        recall_plot=plots.recall_by_k(report.recall_by_k),
        rank_plot=plots.ranks(report.queries),
        change_plot=plots.changes(report.queries),
        script=Markup(about.script),  # noqa: S704 (it is no text of the data)
        script_source=Markup(_source(about.script)),  # noqa: S704
    )
