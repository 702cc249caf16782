"""One name has every command, says what each is for, and loads nothing for that."""

from importlib import metadata

import pytest

from instar.command_line import main
from service.process.command_line import COMMANDS


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_help_lists_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    said = capsys.readouterr().out
    for name in (*COMMANDS, "load", "search", "reload", "train"):
        assert f"\n  {name} " in said


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"instar {metadata.version('instar')}\n"


def test_a_mistyped_command_is_answered_by_the_one_that_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lood", "docs"]) == 2
    assert capsys.readouterr().err == "there is no command lood: is load meant?\n"


@pytest.mark.parametrize("name", ["load", "search", "reload"])
def test_a_command_that_asks_says_where_and_with_which_key(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert f"usage: instar {name}" in said
    assert "--url" in said
    assert "INSTAR_KEY" in said
    assert f"example:\n  instar {name} " in said


def test_the_service_and_the_trainer_are_called_by_this_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["key", "--help"])
    assert "usage: instar key" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["train", "gate", "--help"])
    assert "usage: instar train gate" in capsys.readouterr().out
