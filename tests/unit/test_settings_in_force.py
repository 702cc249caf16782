"""The settings in force say where each comes from, and no secret."""

import pytest

from service.settings import Settings
from service.settings.in_force import SettingInForce, settings_in_force
from service.settings.names import variables


def in_force(monkeypatch: pytest.MonkeyPatch, **environment: str) -> dict[str, SettingInForce]:
    named = {f"INSTAR_{name}": value for name, value in environment.items()}
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    return {setting.name: setting for setting in settings_in_force(Settings(), named)}


def test_every_setting_is_there_in_the_order_of_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = in_force(monkeypatch)
    assert list(listed) == [name for name, _ in variables()]
    assert all(setting.meaning for setting in listed.values() if "__COLLECTIONS__" not in setting.name)
    assert listed["INSTAR_PORT"].value == 8080


def test_each_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = in_force(
        monkeypatch,
        RETAIN="3",
        LIMITS__K="50",
        MAX_TEXT="9000",
        HEADROOM='{"disk": 5}',
        PROXY__TRUSTED='["10.0.0.0/8"]',
    )
    origins = {name: (each.origin, each.set_by, each.value) for name, each in listed.items()}
    assert origins["INSTAR_RETAIN"] == ("environment", "INSTAR_RETAIN", 3)
    assert origins["INSTAR_LIMITS__K"] == ("environment", "INSTAR_LIMITS__K", 50)
    assert origins["INSTAR_LIMITS__TEXT"] == ("environment", "INSTAR_MAX_TEXT", 9000)
    assert origins["INSTAR_HEADROOM__DISK"] == ("environment", "INSTAR_HEADROOM", 5)
    assert origins["INSTAR_HEADROOM__MEMORY"] == ("default", None, 256 << 20)
    assert origins["INSTAR_PROXY__TRUSTED"] == ("environment", "INSTAR_PROXY__TRUSTED", ["10.0.0.0/8"])
    assert origins["INSTAR_MODEL"][:2] == ("default", None)
    named = Settings(retain=7)
    by_argument = {each.name: each for each in settings_in_force(named, {})}["INSTAR_RETAIN"]
    assert (by_argument.origin, by_argument.value, by_argument.default) == ("argument", 7, 1)


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "whsec_" + "QUJD" * 8
    listed = in_force(
        monkeypatch,
        API_KEY="api-secret",
        ADMIN_KEY="admin-secret",
        WEBHOOK__SECRET=secret,
        WEBHOOK__URL="https://user:word@hooks.example.com/services/T0/B0/token?key=1",
    )
    text = str([(each.value, each.default) for each in listed.values()])
    for hidden in ("api-secret", "admin-secret", secret, "word@", "token", "T0"):
        assert hidden not in text, hidden
    assert listed["INSTAR_WEBHOOK__URL"].value == "https://hooks.example.com/…"
    assert (listed["INSTAR_API_KEY"].secret, listed["INSTAR_API_KEY"].is_set) == (True, True)
    monkeypatch.delenv("INSTAR_API_KEY")
    unset = {each.name: each for each in settings_in_force(Settings(admin_key="x"), {})}["INSTAR_API_KEY"]
    assert (unset.secret, unset.is_set) == (True, False)
