"""The help of a command with many flags lists those that people set first, and says how to see the others."""

import re
import shlex
from typing import get_args

import pytest
from pydantic.fields import FieldInfo
from pydantic_settings import get_subcommand

from trainer import flag_help, flags
from trainer.__main__ import main
from trainer.commands.run import Run
from trainer.commands.trainer import Trainer
from trainer.commands.weights import Train

FLAG = re.compile(r"^  --([a-z-]+)", re.MULTILINE)


def helped(arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments.split(), "instar train")
    assert ended.value.code == 0
    return capsys.readouterr().out


def names() -> list[str]:
    return [(field.alias or name).replace("_", "-") for name, field in Run.model_fields.items()]


def test_the_help_lists_the_flags_that_people_set_first_in_their_groups(capsys: pytest.CaptureFixture[str]) -> None:
    said = helped("run --help", capsys)
    first = [name.replace("_", "-") for group in Run.FIRST.values() for name in group]
    assert FLAG.findall(said) == first
    assert {"data", "format", "name", "reload", "budget", "resume", "folds", "general"} <= set(first) <= set(names())
    assert [said.index(f"\n{title}:\n") for title in Run.FIRST] == sorted(
        said.index(f"\n{one}:\n") for one in Run.FIRST
    )
    assert "--patience" not in said
    assert "example:\n  instar train run --data " in said
    assert f"{len(names()) - len(first)} more flags" in said
    assert said.rstrip().endswith("instar train run --help-all")


def test_the_help_of_all_commands_has_an_example_that_one_of_them_takes(capsys: pytest.CaptureFixture[str]) -> None:
    said = helped("--help", capsys)
    (example,) = re.findall(r"\nexample:\n  instar train (.+)\n", said)
    words = shlex.split(example)
    flags.check(Trainer, words)
    parsed = Trainer(_cli_settings_source=flag_help.source(Trainer, words, "instar train"))
    assert isinstance(get_subcommand(parsed, cli_exit_on_error=True), Run)
    assert said.rstrip().endswith("instar train COMMAND --help says more.")


def test_an_argument_without_a_flag_stands_in_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    said = helped("train --help", capsys)
    assert re.search(r"\ndata:\n  DATA  +file or folder", said)
    listed = ["data", *FLAG.findall(said)]
    assert listed == [name.replace("_", "-") for group in Train.FIRST.values() for name in group]
    assert f"{len(Train.model_fields) - len(listed)} more flags" in said


@pytest.mark.parametrize(("name", "field"), Trainer.model_fields.items(), ids=Trainer.model_fields)
def test_each_example_is_one_that_the_command_takes(name: str, field: FieldInfo) -> None:
    command = get_args(field.annotation)[0]
    words = [field.alias or name, *shlex.split(command.EXAMPLE)]
    flags.check(Trainer, words)
    parsed = Trainer(_cli_settings_source=flag_help.source(Trainer, words, "instar train"))
    typed = get_subcommand(parsed, cli_exit_on_error=True)
    assert isinstance(typed, command)
    # A report names its command, which somebody copies.
    words = shlex.split(typed.spelled(field.alias or name))[2:]
    copied = Trainer(_cli_settings_source=flag_help.source(Trainer, words, "instar train"))
    assert get_subcommand(copied, cli_exit_on_error=True) == typed


def test_the_whole_help_lists_every_flag_once(capsys: pytest.CaptureFixture[str]) -> None:
    said = helped("run --help-all", capsys)
    assert sorted(FLAG.findall(said)) == sorted(names())
    assert "more flags" not in said


def test_a_flag_that_is_not_listed_first_is_taken_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--patience", "0", "--data", "nowhere"]) == 2
    complaint = capsys.readouterr().err
    assert "--patience: Input should be greater than or equal to 1" in complaint
    assert "--help-all says what each takes" in complaint


@pytest.mark.parametrize("asking", ["-h", "--help", "--help-all"])
def test_a_command_with_fewer_flags_lists_them_all(asking: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = helped(f"gate {asking}", capsys)
    assert "--min-queries" in said
    assert "--help-all" not in said
