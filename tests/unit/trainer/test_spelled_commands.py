"""A report names the command that made it, and whoever types that command again runs the same."""

import shlex
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_settings import get_subcommand

from trainer import flag_help, flags
from trainer.commands.command import Command
from trainer.commands.flag_groups import Duration
from trainer.commands.trainer import Trainer


def parsed(words: Sequence[str]) -> Command:
    flags.check(Trainer, words)
    command = get_subcommand(
        Trainer(_cli_settings_source=flag_help.source(Trainer, words, "instar train")), cli_exit_on_error=False
    )
    assert isinstance(command, Command)
    return command


def again(name: str, command: Command) -> Command:
    """The command that its spelling stands for."""
    program, group, *words = shlex.split(command.spelled(name))
    assert (program, group, words[0]) == ("instar", "train", name)
    return parsed(words)


@pytest.mark.parametrize(("name", "field"), Trainer.model_fields.items(), ids=Trainer.model_fields)
def test_each_example_is_spelled_as_it_was_typed(name: str, field: FieldInfo) -> None:
    name = field.alias or name
    command = parsed([name, *shlex.split(get_args(field.annotation)[0].EXAMPLE)])
    assert again(name, command) == command


@pytest.mark.parametrize(
    ("typed", "spelled"),
    [
        ("evaluate new data --json --format beir", "evaluate new data --json --format beir"),
        ("run --data a.json --budget 15m", "run --budget 15m --data a.json"),
        ("run --data a.json --budget 1.5h --no-mine", "run --budget 90m --data a.json --no-mine"),
        ("run --data a.json --budget 0.5s --alphas 0,0.5", "run --alphas 0.0,0.5 --budget 0.5s --data a.json"),
        ("run --data https://ann:word@docs.example/a", "run --data https://docs.example/a"),
        ("run --data a.json --admin-key secret", "run --data a.json"),
        ("inspect --format beir -- -odd", "inspect --format beir -- -odd"),
    ],
)
def test_arguments_are_bare_durations_have_units_and_nobody_reads_a_key(typed: str, spelled: str) -> None:
    words = typed.split()
    assert parsed(words).spelled(words[0]) == f"instar train {spelled}"


def test_a_changed_command_has_other_flags_before_the_dashes() -> None:
    typed = parsed(["run", "--data", "a.json", "--budget", "5m", "--resume"])
    changed = typed.spelled("run", folds=5, replace=True, resume=None, budget=None)
    assert changed == "instar train run --data a.json --folds 5 --replace"
    odd = parsed(["evaluate", "--format", "beir", "--", "model", "-data"])
    changed = odd.spelled("evaluate", questions="all", unseen=True)
    assert changed == "instar train evaluate --format beir --questions all --unseen -- model -data"


def test_what_a_changed_command_leaves_out_does_not_come_back_from_a_file_of_settings(tmp_path: Path) -> None:
    settings = tmp_path / "tune.toml"
    settings.write_text('data = "a.json"\nbudget = "15m"\n', encoding="utf-8")
    typed = parsed(["run", "--config", str(settings), "--folds", "5"])
    assert typed.spelled("run") == "instar train run --budget 15m --data a.json --folds 5"
    assert typed.spelled("run", budget=None) == "instar train run --data a.json --folds 5"


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "--out=-odd name", "--", "it's new", "-data=b"],
        ["inspect", "a  b", "--format", ""],
        ["run", "--data=--a.json", "--query-prompt", "ask:  é\n", "--alphas=1e-07,0.1", "--learning-rate=1e-05"],
    ],
    ids=lambda words: words[0],
)
def test_odd_names_and_numbers_are_read_again(words: Sequence[str]) -> None:
    command = parsed(words)
    assert again(words[0], command) == command


@given(st.decimals("0.001", 10_000, places=3), st.sampled_from("smh"))
def test_any_duration_is_spelled_so_that_it_is_read_again(number: Decimal, unit: str) -> None:
    form = TypeAdapter[float](Duration)
    seconds = form.validate_python(f"{number}{unit}")
    assert form.validate_python(form.dump_python(seconds, mode="json")) == seconds
