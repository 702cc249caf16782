"""Every alert is explained, and every panel of the dashboard."""

import json
import re
from pathlib import Path

DEPLOY = Path(__file__).parents[2] / "deploy"


ALERTS = DEPLOY / "prometheus" / "alerts.yaml"


DASHBOARD = DEPLOY / "grafana" / "instar.json"


def test_every_alert_is_explained() -> None:
    operating = (DEPLOY.parent / "docs" / "operating.md").read_text(encoding="utf-8")
    alerts = re.findall(r"- alert: (\w+)", ALERTS.read_text(encoding="utf-8"))
    assert len(alerts) >= 10
    explained = operating.partition("## When an alert comes")[2]
    assert re.findall(r"^### (\w+)$", explained, re.MULTILINE) == alerts


def test_every_panel_says_what_it_shows_and_has_a_place_of_its_own() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(panels)
    assert all(panel["type"] == "row" or panel["description"] for panel in panels)
