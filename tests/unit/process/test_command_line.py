"""Settings are flags, then variables of the environment, then lines of a file, and a mistake names what is meant."""

from pathlib import Path

import pytest

from service import __main__
from service.process import command_line
from service.process.commands import check, move, serve
from service.settings import Settings


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings of every service that would have been started."""
    settings: list[Settings] = []

    def serve_by(_: object, wanted: Settings) -> int:
        settings.append(wanted)
        return 0

    monkeypatch.setattr(serve, "run", serve_by)
    return settings


def test_flags_go_before_the_environment_and_that_before_the_file(
    served: list[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "instar.env"
    file.write_text('# of the service\nINSTAR_PORT=1\nINSTAR_RETAIN=3\nINSTAR_MODEL="one"\nINSTAR_LIMITS__K=7\n')
    # What the file sets stays in the environment, for children of the service.
    for name in ("INSTAR_MODEL", "INSTAR_LIMITS__K"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("INSTAR_PORT", "2")
    monkeypatch.setenv("INSTAR_RETAIN", "4")
    assert __main__.main(["--port", "9000", "--env-file", str(file), "--sample"]) == 0
    (settings,) = served
    assert (settings.port, settings.retain, settings.model, settings.limits.k) == (9000, 4, "one", 7)
    assert settings.sample


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--prot", "9000"], "there is no --prot: is --port meant?"),
        (["--prot=9000"], "there is no --prot=9000: is --port meant?"),
        (["serve", "--data", "x"], "there is no --data"),
        (["key", "create", "a", "--scop", "search"], "--scope"),
        (["key", "creat"], "there is no creat: is create meant?"),
        (["key", "x"], "there is no x: use one of create, list, revoke"),
        (["key", "create", "a", "--scope", "serach"], "there is no serach: is search meant?"),
    ],
)
def test_a_mistyped_flag_or_action_is_answered_by_the_one_that_is_meant(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_a_mistyped_command_is_answered_by_the_one_that_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["chek"]) == 2
    assert capsys.readouterr().err == "there is no command chek: is check meant?\n"


def test_a_wrong_setting_and_a_file_that_is_not_there_are_named(
    served: list[Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert __main__.main(["serve", "--port", "abc"]) == 2
    assert capsys.readouterr().err.startswith("INSTAR_PORT: ")
    assert __main__.main(["serve", "--env-file", str(tmp_path / "nothing")]) == 2
    assert "name a file that can be read" in capsys.readouterr().err
    file = tmp_path / "instar.env"
    for encoding in ("utf-16", "utf-16-le"):
        file.write_text("INSTAR_PORT=1\n", encoding=encoding)
        assert __main__.main(["serve", "--env-file", str(file)]) == 2
        assert "in UTF-8" in capsys.readouterr().err
    assert not served


def test_a_file_of_settings_may_begin_with_the_mark_of_an_editor(
    served: list[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTAR_PORT", "")
    monkeypatch.delenv("INSTAR_PORT")
    file = tmp_path / "instar.env"
    file.write_text("INSTAR_PORT=1234\n", encoding="utf-8-sig")
    assert __main__.main(["serve", "--env-file", str(file)]) == 0
    assert served[0].port == 1234


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (PermissionError(13, "Permission denied", "/data"), 1, "run it as the user of the service"),
        (KeyboardInterrupt(), 130, "run python -m service move again"),
    ],
)
def test_a_command_that_cannot_go_on_says_what_to_do(
    error: BaseException,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(move, "run", fail)
    assert __main__.main(["move", "--from", "a", "--to", "b"]) == code
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("name", command_line.COMMANDS)
def test_every_command_says_what_it_is_for_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main([name, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert f"usage: python -m service {name}" in said
    assert "example:\n  " in said
    assert "--env-file" in said or "ACTION" in said


@pytest.mark.parametrize("action", ["create", "list", "revoke"])
def test_every_action_has_an_example_of_its_own(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        __main__.main(["key", action, "--help"])
    assert f"example:\n  instar key {action}" in capsys.readouterr().out


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in command_line.COMMANDS)


def test_settings_of_an_action_stand_behind_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path)
    assert __main__.main(["key", "create", "shop", "--scope", "search", "--data-dir", folder]) == 0
    assert (tmp_path / "keys.json").exists()
    capsys.readouterr()
    assert __main__.main(["key", "list", "--data-dir", folder]) == 0
    assert capsys.readouterr().out.startswith("shop ")


def test_a_check_listens_where_the_service_would() -> None:
    assert check.SETTINGS == serve.SETTINGS
    assert check.LISTENS
