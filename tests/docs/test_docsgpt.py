"""The page on DocsGPT names the files that the diff changes, and the diff names what the store has."""

import ast
import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "deploy" / "docsgpt"
DIFF = (FOLDER / "docsgpt.diff").read_text(encoding="utf-8")
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
STORE = (FOLDER / "instar.py").read_text(encoding="utf-8")
ADDED = "\n".join(line[1:] for line in DIFF.splitlines() if line.startswith("+") and not line.startswith("+++"))


def test_the_page_names_each_file_of_the_diff() -> None:
    changed = set(re.findall(r"^\+\+\+ b/(.+)$", DIFF, re.MULTILINE))
    paragraph = PAGE.partition("[The diff](docsgpt.diff)")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(application/[^`]+)`", paragraph)) == changed
    assert "git apply --check INSTAR/deploy/docsgpt/docsgpt.diff" in PAGE


def test_the_diff_names_the_class_of_the_store() -> None:
    (module, name) = re.findall(r"^from (application\.vectorstore\.\w+) import (\w+)$", ADDED, re.MULTILINE)[0]
    assert f"cp INSTAR/deploy/docsgpt/{module.rpartition('.')[2]}.py application/vectorstore/" in PAGE
    assert name in {node.name for node in ast.parse(STORE).body if isinstance(node, ast.ClassDef)}


def test_the_settings_of_the_diff_are_those_that_the_store_reads() -> None:
    added = set(re.findall(r"^ +(INSTAR_\w+): ", ADDED, re.MULTILINE))
    read = {node.value for node in ast.walk(ast.parse(STORE)) if isinstance(node, ast.Constant)}
    assert added == {value for value in read if re.fullmatch(r"INSTAR_\w+", str(value))}
    assert len(added) == 3
