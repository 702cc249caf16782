"""docs/architecture.md says of the rooms what the import contracts hold them to."""

import configparser
import re

from tests.architecture.source import HOUSES, ROOT

DOCUMENT = (ROOT / "docs" / "architecture.md").read_text()


def test_the_layers_are_those_of_the_contract() -> None:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    blocks = re.findall(r"```\n(.*?)```", DOCUMENT, re.DOTALL)
    for contract in ("layers", "trainer-layers", "instar-layers"):
        layers = contracts[f"importlinter:contract:{contract}"]["layers"].split("\n")
        assert "\n".join(filter(None, layers)) + "\n" in blocks


def test_every_room_and_file_of_the_table_is_there() -> None:
    rows = re.findall(r"^\| (`[a-z_].*?) \| (.*) \|$", DOCUMENT, re.MULTILINE)
    rooms = [(name, row) for names, row in rows for name in re.findall(r"`([a-z_/.]+)`", names)]
    assert len(rooms) > 20
    for name, row in rooms:
        room = next(
            (house / name for house in (ROOT / "service", ROOT / "trainer", ROOT) if (house / name).exists()), None
        )
        assert room is not None, name
        for file in re.findall(r"`([a-z_]+\.py)`", row):
            assert (room / file).exists(), f"{name}{file}"


def test_every_room_is_in_the_table() -> None:
    for house in HOUSES:
        # Rooms of the house that people call are named with it, because the trainer has commands, too.
        prefix = "instar/" if house == "instar" else ""
        for folder in (ROOT / house).iterdir():
            if (folder / "__init__.py").exists() and folder.name != "sample":
                assert f"| `{prefix}{folder.name}/" in DOCUMENT, folder.name
