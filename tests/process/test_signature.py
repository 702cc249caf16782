"""A service that trusts keys loads only what they have signed."""

from pathlib import Path

import pytest

from tests.models.test_signature import packaged
from tests.support import checkpoints
from tests.support.server import Server
from tests.support.signing import key
from trainer.ship import package


@pytest.fixture
def trusting(tmp_path: Path) -> Server:
    """A service that trusts two keys, and starts with the bundled model."""
    keys = [key(tmp_path, name).with_suffix(".pub").read_text() for name in ("first", "second")]
    (tmp_path / "trusted.pem").write_text("".join(keys))
    server = Server(tmp_path / "service", SIGNERS_FILE=tmp_path / "trusted.pem")
    server.checkpoints.mkdir(parents=True)
    return server


def test_only_what_a_trusted_key_has_signed_is_loaded(tmp_path: Path, trusting: Server) -> None:
    stranger = key(tmp_path, "stranger")
    folders = {
        "unsigned": packaged(tmp_path, None, "unsigned"),
        "strange": packaged(tmp_path, stranger, "strange"),
        "signed": packaged(tmp_path, tmp_path / "second.pem", "signed"),
        "plain": checkpoints.tiny(tmp_path / "plain"),
    }
    for name, folder in folders.items():
        (trusting.checkpoints / name).symlink_to(folder)
    with trusting as server:
        before = server.state()
        for name, reason in (
            ("unsigned", "is not signed"),
            ("plain", "is not signed"),
            ("strange", "a key that INSTAR_SIGNERS_FILE does not name"),
        ):
            job = server.reload(name)
            assert job["state"] == "refused"
            assert reason in job["reason"]
        assert server.state() == before
        sent = trusting.folder / "unsigned.zip"
        package.pack(folders["unsigned"], sent)
        refused = server.client.put("/admin/models/sent", content=sent.read_bytes())
        assert (refused.status_code, refused.json()["error"]["type"]) == (422, "checkpoint_refused")
        listed = server.get("/admin/models")["models"]
        problems = {each["name"]: each.get("problem") for each in listed}
        signatures = {each["name"]: each["signature"] for each in listed if "signature" in each}
        assert signatures == {"signed": "trusted", "all-MiniLM-L6-v2": "none"}
        assert problems["signed"] is None
        assert "is not signed" in problems["plain"]
        assert server.reload("signed")["state"] == "done"
        # As a zip, too, and after a restart.
        package.pack(folders["signed"], sent)
        assert server.client.put("/admin/models/sent", content=sent.read_bytes()).status_code == 201
    with trusting as server:
        assert server.get("/info")["model"].startswith("signed@")


def test_a_service_with_a_wrong_file_of_keys_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "trusted.pem").write_text("no key")
    server = Server(tmp_path, SIGNERS_FILE=tmp_path / "trusted.pem")
    server.launch()
    assert server.process.wait(60) == 1
    assert "must hold public Ed25519 keys" in "".join(server.output)
