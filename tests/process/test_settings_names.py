"""Settings are in groups, former names go on working with a warning, and docs/settings.md says what there is."""

import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import Settings
from service.settings.former import FORMER, GONE
from service.settings.names import remarks, spelled, variables
from service.settings.table import page
from tests.support.server import Server

ROOT = Path(__file__).parents[2]
FIXED = {"HOST", "PORT", "DATA_DIR", "CHECKPOINTS_DIR", "MODEL", "API_KEY", "ADMIN_KEY", "RETAIN"}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*FORMER, *(name for name, _ in variables())):
        monkeypatch.delenv(name, raising=False)


def test_a_variable_of_a_group_has_its_name_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTAR_LIMITS__K", "7")
    monkeypatch.setenv("INSTAR_PROXY__TRUSTED", '["10.0.0.0/8"]')
    settings = Settings()
    assert (settings.limits.k, settings.limits.queries) == (7, 128)
    assert settings.proxy.trusted == ["10.0.0.0/8"]


# What a setting may be, besides its default.
VALUES = {
    "PROXY__TRUSTED": '["10.0.0.0/8"]',
    "PROXY__PATH": "/instar",
    "WEBHOOK__URL": "http://127.0.0.1:9/",
    "WEBHOOK__SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "CLIENTS__OPENAI_SIDES": "true",
    "CLIENTS__TOKEN_IDS": "true",
    "INDEX__MIN_RECALL": "0.5",
    "GATE__MAX_LOSS": "0.5",
    "LOG__LEVEL": "debug",
    "LOG__FORMAT": "json",
    "LOG__TEXTS": "true",
}


@pytest.mark.parametrize(("former", "name"), FORMER.items())
def test_each_former_name_does_what_the_new_one_does(monkeypatch: pytest.MonkeyPatch, former: str, name: str) -> None:
    value = VALUES.get(name.removeprefix("INSTAR_"), "77")
    monkeypatch.setenv(name, value)
    by_name = Settings()
    monkeypatch.delenv(name)
    assert by_name != Settings()
    monkeypatch.setenv(former, value)
    assert by_name == Settings()


def test_every_former_name_leads_to_a_setting_and_is_none_itself() -> None:
    names = {name for name, _ in variables()}
    assert set(FORMER.values()) <= names
    assert not (FORMER.keys() | GONE.keys()) & names
    assert {f"INSTAR_{name}" for name in FIXED} <= names


def test_a_former_name_is_named_with_the_new_one() -> None:
    (remark,) = remarks(["INSTAR_MAX_K", "PATH"])
    assert not remark.wrong
    assert "INSTAR_MAX_K is called INSTAR_LIMITS__K now: rename it" in remark.text


def test_the_new_name_counts_where_both_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTAR_MAX_K", "5")
    monkeypatch.setenv("INSTAR_LIMITS__K", "7")
    assert Settings().limits.k == 7
    (remark,) = remarks(["instar_max_k", "INSTAR_LIMITS__K"])
    assert remark.wrong
    assert remark.text.endswith("remove INSTAR_MAX_K")


def test_what_is_gone_is_said_to_be() -> None:
    (remark,) = remarks(["INSTAR_QUEUE_TOKENS"])
    assert remark.wrong
    assert "no setting any more" in remark.text


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("INSTAR_LIMITS__TEXTS", "is INSTAR_LIMITS__TEXT meant?"),
        ("INSTAR_LIMIT__BODY", "is INSTAR_LIMITS__BODY meant?"),
        ("INSTAR_MAX_QUERYS", "is INSTAR_LIMITS__QUERIES meant?"),
        ("INSTAR_PROT", "is INSTAR_PORT meant?"),
        ("INSTAR_ZZZZZZZZZZZZ", "see the settings in the README"),
    ],
)
def test_a_name_that_is_near_a_new_or_a_former_one_is_told_the_new_one(name: str, meant: str) -> None:
    assert [(remark.text, remark.wrong) for remark in remarks([name])] == [(f"{name} is no setting: {meant}", True)]


def test_a_wrong_value_is_named_as_it_was_set() -> None:
    assert spelled(("limits", "k"), ["INSTAR_LIMITS__K", "INSTAR_MAX_K"]) == "INSTAR_LIMITS__K"
    assert spelled(("limits", "k"), ["instar_max_k"]) == "INSTAR_MAX_K"
    assert spelled(("port",), ["INSTAR_PORT"]) == "INSTAR_PORT"
    command = [sys.executable, "-m", "service", "check"]
    for name in ("INSTAR_MAX_K", "INSTAR_LIMITS__K"):
        ran = subprocess.run(
            command, env={name: "0", "PATH": ""}, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 2
        assert ran.stderr.startswith(f"{name}: ")


def test_a_list_that_is_no_json_is_told_to_be() -> None:
    command = [sys.executable, "-m", "service", "check"]
    environment = {"INSTAR_PROXY__TRUSTED": "10.0.0.0/8", "PATH": ""}
    ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert '"proxy"' in ran.stderr
    assert ran.stderr.endswith("write lists and objects as JSON\n")


def test_a_start_warns_once_of_a_former_name(tmp_path: Path, tiny_checkpoints: Path) -> None:
    server = Server(tmp_path, MODEL="one", MAX_QUERIES=3)
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    with server:
        (warning,) = [line for line in server.output if "INSTAR_MAX_QUERIES" in line]
        assert "INSTAR_LIMITS__QUERIES" in warning
        refused = server.client.post("/search", json={"query": ["a"] * 4})
        assert "more than 3: send parts, or raise INSTAR_LIMITS__QUERIES" in refused.json()["error"]["message"]


def test_the_page_of_settings_is_what_the_settings_are(tmp_path: Path) -> None:
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "service.settings", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    document = ROOT / "docs" / "settings.md"
    assert document.read_text(encoding="utf-8") == page() == run("--table").stdout
    assert run("--table", "--check", document).returncode == 0
    (tmp_path / "settings.md").write_text(page().replace("`8080`", "`8081`"), encoding="utf-8")
    changed = run("--check", tmp_path / "settings.md")
    assert changed.returncode == 1
    assert "+| `INSTAR_PORT` | `8080` |" in changed.stdout
    assert all(f"| `{name}` |" in page() for name, _ in variables())
