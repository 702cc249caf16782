"""The checkpoint that docs/choosing-a-model.md makes is one that the service takes, with the prompts of the page."""

from pathlib import Path

import pytest

from service.checkpoints import bundled, checkpoint
from service.checkpoints.config_files import load_model_config
from service.checkpoints.fingerprint import document_prompt
from tests.docs.examples import FENCE, ROOT

PAGE = (ROOT / "docs" / "choosing-a-model.md").read_text(encoding="utf-8")


@pytest.mark.nightly
def test_the_script_writes_the_prompts_into_a_sound_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (script,) = (text for language, text in FENCE.findall(PAGE) if language == "python")
    base = bundled.base_folder()
    # Nothing is downloaded: the bundled model takes the place of the one on the page.
    here = script.replace('"intfloat/multilingual-e5-small"', repr(str(base)))
    assert here != script
    monkeypatch.chdir(tmp_path)
    exec(here, {})  # noqa: S102 (its readers run it, too)
    made = tmp_path / "checkpoints" / "candidate"
    prompts = load_model_config(made).prompts or {}
    assert (prompts["query"], document_prompt(prompts)) == ("query: ", "passage: ")
    assert base is not None
    assert checkpoint.read(made, "candidate").fingerprint != checkpoint.read(base, "base").fingerprint
