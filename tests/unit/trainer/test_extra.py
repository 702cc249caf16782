"""A package that is missing ends a command with the line that installs it; a fault of Instar itself keeps its trace."""

import json

import pytest

from trainer.__main__ import main
from trainer.commands.data import Generate

COMMAND = ["generate", "corpus.jsonl", "--out", "weak"]


def missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command come upon a package or module that is not there."""

    def answer(_: Generate) -> None:
        raise ModuleNotFoundError(f"No module named '{name}'", name=name)

    monkeypatch.setattr(Generate, "answer", answer)


def test_a_missing_package_is_named_with_its_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing("datasets", monkeypatch)
    message = "this command needs more packages (No module named 'datasets'): pip install 'instar[trainer]'"
    assert main(COMMAND, "instar train") == 1
    assert capsys.readouterr().err == f"error: {message}\n"
    assert main([*COMMAND, "--json"], "instar train") == 1
    assert json.loads(capsys.readouterr().out) == {"error": message}


@pytest.mark.parametrize("name", ["trainer.prepare.mining", "service"])
def test_a_missing_module_of_instar_is_a_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    missing(name, monkeypatch)
    with pytest.raises(ModuleNotFoundError, match=name):
        main(COMMAND, "instar train")
