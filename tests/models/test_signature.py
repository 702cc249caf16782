"""Signatures: what a trusted trainer has not signed, or somebody has altered since, does not load."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.checkpoints import checkpoint
from service.checkpoints.manifest import MANIFEST, write_manifest
from service.checkpoints.signature import Signer, Signers, SigningKeyError
from service.errors import CheckpointRefused
from service.machine.files import checksum
from tests.support import checkpoints
from tests.support.signing import key
from trainer.__main__ import main


def packaged(folder: Path, signing: Path | None, name: str = "tuned") -> Path:
    """A package, made with the trainer's command."""
    source = folder / "source"
    if not source.exists():
        checkpoints.tiny(source, seed=7)
    flags = [] if signing is None else ["--sign-with", str(signing)]
    out = ["--name", name, "--out", str(folder / "out"), "--unproven", "--replace"]
    assert main(["package", str(source), *out, *flags]) == 0
    return folder / "out" / name


def alter_a_file(folder: Path) -> None:
    (folder / "README.md").write_text("something else")
    content = json.loads((folder / MANIFEST).read_text())
    content["files"]["README.md"] = checksum(folder / "README.md")
    (folder / MANIFEST).write_text(json.dumps(content))


def changed(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def alter(folder: Path) -> None:
        content = json.loads((folder / MANIFEST).read_text())
        change(content)
        (folder / MANIFEST).write_text(json.dumps(content))

    return alter


@pytest.mark.parametrize(
    "alter",
    [
        alter_a_file,
        changed(lambda content: content["lineage"].update(verdict="PROMOTE")),
        changed(lambda content: content.update(canaries=[])),
        changed(lambda content: content.update(more=1)),
        changed(lambda content: content.update(signature="AAAA")),
        changed(lambda content: content.update(signature="not base64")),
        changed(lambda content: content.update(signature=7)),
        changed(lambda content: content.pop("signature")),
    ],
)
def test_what_was_altered_after_it_was_signed_is_refused(tmp_path: Path, alter: Callable[[Path], None]) -> None:
    private = key(tmp_path, "own")
    folder = packaged(tmp_path, private)
    trusted = Signers.read(private.with_suffix(".pub"))
    trusted.require(checkpoint.read(folder, "tuned"))
    # Written otherwise, it says the same.
    changed(lambda _: None)(folder)
    trusted.require(checkpoint.read(folder, "tuned"))
    alter(folder)
    with pytest.raises(CheckpointRefused, match="signed"):
        trusted.require(checkpoint.read(folder, "tuned"))


def test_a_package_that_is_signed_anew_has_one_signature(tmp_path: Path) -> None:
    first, second = key(tmp_path, "first"), key(tmp_path, "second")
    folder = packaged(tmp_path, first)
    manifest = checkpoint.read(folder, "tuned").manifest
    assert manifest is not None
    write_manifest(folder, manifest, Signer(second))
    Signers.read(second.with_suffix(".pub")).require(checkpoint.read(folder, "tuned"))
    with pytest.raises(CheckpointRefused):
        Signers.read(first.with_suffix(".pub")).require(checkpoint.read(folder, "tuned"))


def test_the_same_package_signed_twice_is_the_same(tmp_path: Path) -> None:
    private = key(tmp_path, "own")
    first = checkpoint.read(packaged(tmp_path, private), "tuned").id
    assert checkpoint.read(packaged(tmp_path, private), "tuned").id == first


def test_files_that_hold_no_such_key_are_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rsa = tmp_path / "rsa.pem"
    subprocess.run(["openssl", "genrsa", "-out", rsa, "2048"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "pkey", "-in", rsa, "-pubout"], check=True, capture_output=True).stdout
    (tmp_path / "rsa.pub").write_bytes(public)
    (tmp_path / "empty.pub").write_text("")
    for name in ("rsa.pub", "empty.pub", "absent.pub"):
        with pytest.raises(SigningKeyError):
            Signers.read(tmp_path / name)
    for name in ("rsa.pem", "empty.pub", "absent.pem"):
        with pytest.raises(SigningKeyError, match="openssl genpkey"):
            Signer(tmp_path / name)
    checkpoints.tiny(tmp_path / "source")
    code = main(
        [
            "package",
            str(tmp_path / "source"),
            "--name",
            "x",
            "--sign-with",
            str(rsa),
            "--out",
            str(tmp_path),
            "--unproven",
        ]
    )
    assert code == 2
    assert "another kind" in capsys.readouterr().err
