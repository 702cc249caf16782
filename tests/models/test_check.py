"""`instar check`: what stands in the way of a start is said, with the remedy, and nothing is changed."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from service.access import keyring
from service.access.keyring import Limits
from service.process import check
from service.process.check import Finding
from service.settings import Settings
from tests.support import checkpoints
from tests.support.certificates import certificate
from tests.support.signing import key


@pytest.fixture
def place(tmp_path: Path, tiny_checkpoints: Path) -> Path:
    """A folder with a checkpoint `one`."""
    shutil.copytree(tiny_checkpoints / "one", tmp_path / "checkpoints" / "one")
    return tmp_path


def settings(place: Path, **more: object) -> Settings:
    given = {"model": "one", "data_dir": place / "data", "checkpoints_dir": place / "checkpoints", "port": 0} | more
    return Settings.model_validate({"headroom": {"memory": 0, "disk": 0}} | given)


def wrong(found: list[Finding]) -> str:
    """The one thing that is wrong."""
    (only,) = [finding.text for finding in found if finding.wrong]
    return only


def test_a_first_start_that_would_do(place: Path) -> None:
    found = check.findings(settings(place), {})
    assert not [finding for finding in found if finding.wrong]
    assert any("the checkpoint one@" in finding.text for finding in found)
    assert [path.name for path in place.iterdir()] == ["checkpoints"]


def test_a_name_that_is_no_setting_is_held_against_those_there_are(place: Path) -> None:
    assert "is INSTAR_API_KEY meant?" in wrong(check.findings(settings(place), {"INSTAR_API_KEYS": "a", "PATH": "b"}))
    assert "README" in wrong(check.findings(settings(place), {"instar_zzzzzzzzzzzz": "a"}))


def test_a_port_that_is_taken(place: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "INSTAR_PORT" in wrong(check.findings(settings(place, port=taken.getsockname()[1]), {}))


def test_a_folder_that_cannot_be_written(place: Path) -> None:
    (place / "file").write_text("")
    given = settings(place, data_dir=place / "file" / "data", keys_file=place / "keys.json")
    assert "cannot be written" in wrong(check.findings(given, {}))


@pytest.mark.parametrize(
    ("reserve", "said"),
    [("memory", "of memory are needed"), ("disk", "of disk are needed")],
)
def test_too_little_room(place: Path, reserve: str, said: str) -> None:
    (place / "data").mkdir()
    assert said in wrong(check.findings(settings(place, headroom={"memory": 0, "disk": 0} | {reserve: 1 << 60}), {}))


def test_int8_needs_more_room_for_the_same_checkpoint(place: Path) -> None:
    def memory(engine: str) -> int:
        found = check.findings(settings(place, engine=engine), {})
        text = next(finding.text for finding in found if "of memory are free" in finding.text)
        return int(text.split()[-3].replace(",", ""))

    # A larger one than tests have, whose loading is more than a MiB.
    (place / "checkpoints" / "one" / "more.safetensors").write_bytes(bytes(100 << 20))
    assert memory("int8") > memory("auto") + 200


def test_checkpoints_that_are_none(place: Path) -> None:
    assert "is not there" in wrong(check.findings(settings(place, model="two"), {}))
    (place / "checkpoints" / "one" / "modules.json").write_text("[]")
    assert "save the model again" in wrong(check.findings(settings(place), {}))
    (place / "checkpoints" / "three.zip").write_text("no zip")
    assert "the zip cannot be read" in wrong(check.findings(settings(place, model="three"), {}))
    large = settings(place, model="all-MiniLM-L6-v2", limits={"checkpoint": 100})
    assert "raise INSTAR_LIMITS__CHECKPOINT" in wrong(check.findings(large, {}))


def test_a_checkpoint_in_a_zip(place: Path) -> None:
    checkpoints.zipped(place / "checkpoints" / "one", place / "checkpoints" / "packed.zip")
    found = check.findings(settings(place, model="packed"), {})
    assert any("the checkpoint packed@" in finding.text for finding in found)


def test_a_folder_that_another_user_has_closed(place: Path) -> None:
    given = settings(place, keys_file=place / "keys.json")
    given.data_dir.mkdir()
    # Modules that it needs are imported as long as they can be read.
    check.findings(given, {})
    given.data_dir.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        found = check.findings(given, {})
    finally:
        os.seteuid(user)
        given.data_dir.chmod(0o700)
    assert "run the check as the user of the service" in [finding.text for finding in found if finding.wrong][-1]


def test_keys(place: Path) -> None:
    path = place / "data" / "keys.json"
    keyring.create(path, "app", ["search"], Limits())
    assert "--scope admin" in wrong(check.findings(settings(place), {}))
    keyring.create(path, "operator", ["admin"], Limits())
    assert not [finding for finding in check.findings(settings(place), {}) if finding.wrong]
    path.chmod(0o644)
    assert f"chmod o= {path}" in wrong(check.findings(settings(place), {}))
    path.write_text("no keys")
    assert "restore it from a backup" in wrong(check.findings(settings(place), {}))


def test_certificates_and_trusted_keys(place: Path) -> None:
    key(place, "own")
    unsigned = settings(place, signers_file=place / "own.pub")
    assert "is not signed" in wrong(check.findings(unsigned, {}))
    assert not [
        finding
        for finding in check.findings(unsigned.model_copy(update={"model": "all-MiniLM-L6-v2"}), {})
        if finding.wrong
    ]
    # It ends in two days.
    certificate(place, "x")
    found = wrong(check.findings(settings(place, tls={"certificate": place / "tls.crt", "key": place / "tls.key"}), {}))
    assert "renew it" in found
    assert "no certificate" in wrong(check.findings(settings(place, tls={"certificate": place / "tls.key"}), {}))
    assert "INSTAR_TLS__CERTIFICATE" in wrong(check.findings(settings(place, tls={"key": place / "tls.key"}), {}))
