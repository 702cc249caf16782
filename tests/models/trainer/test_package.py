"""Packages: complete, repeatable, nothing in them that should not be, and found out when they were altered."""

import json
import zipfile
from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer

from service.checkpoints import archive, checkpoint
from service.checkpoints.contents import FILE_KINDS, REPORT
from service.checkpoints.manifest import MANIFEST, write_manifest
from tests.support import checkpoints, judged
from trainer import base_model
from trainer.errors import BadData
from trainer.ship import delivery, package
from trainer.ship.delivery import NotTaken


def packaged(folder: Path, name: str = "tuned") -> Path:
    """A published package."""
    source = folder / "source"
    if not source.exists():
        checkpoints.tiny(source, prompts={"query": "ask: ", "document": "text: "})
    with base_model.open(str(source)) as read:
        package.repackage(read, name, folder / "out")
    return folder / "out" / name


def test_equal_models_give_equal_packages_and_zips(tmp_path: Path) -> None:
    first, second = packaged(tmp_path / "a"), packaged(tmp_path / "b")
    assert checkpoint.read(first, "tuned").id == checkpoint.read(second, "tuned").id
    for folder in (first, second):
        package.pack(folder, folder.parent / "tuned.zip")
    assert (first.parent / "tuned.zip").read_bytes() == (second.parent / "tuned.zip").read_bytes()


def test_the_manifest_says_what_the_model_is(tmp_path: Path) -> None:
    folder = packaged(tmp_path)
    found = json.loads((folder / MANIFEST).read_text())
    assert found["name"] == "tuned"
    assert set(found["files"]) == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST
    }
    facts = found["lineage"]["model"]
    assert facts["prompts"]["query"] == "ask: "
    assert (facts["dimensions"], facts["max_length"]) == (32, 64)
    assert facts["pooling"]["pooling_mode"] == "mean"
    assert {canary["side"] for canary in found["canaries"]} == {"query", "document"}


def test_only_files_of_known_kinds_are_in_it(tmp_path: Path) -> None:
    folder = packaged(tmp_path)
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} <= FILE_KINDS


def test_a_report_travels_in_the_package_and_in_its_zip(tmp_path: Path) -> None:
    source = checkpoints.tiny(tmp_path / "source")
    (source / REPORT).write_text("<p>better</p>")
    checkpoints.with_manifest(source)
    with base_model.open(str(source)) as read:
        reported = package.repackage(read, "tuned", tmp_path / "out")
        without = package.repackage(read, "without", tmp_path / "out", with_report=False)
    assert REPORT in reported.files
    assert REPORT not in without.files
    package.pack(reported.folder, tmp_path / "tuned.zip")
    archive.unpack(tmp_path / "tuned.zip", tmp_path / "unpacked", 1 << 30)
    assert checkpoint.read(tmp_path / "unpacked", "tuned").id == reported.id


def test_a_sound_package_verifies_as_folder_and_as_zip(tmp_path: Path) -> None:
    folder = packaged(tmp_path)
    package.pack(folder, tmp_path / "tuned.zip")
    assert package.verify(str(folder)).id == package.verify(str(tmp_path / "tuned.zip")).id


def test_an_altered_file_is_found_out(tmp_path: Path) -> None:
    folder = packaged(tmp_path)
    (folder / "README.md").write_text("something else")
    with pytest.raises(BadData, match="altered"):
        package.verify(str(folder))


def test_vectors_that_are_not_the_manifests_are_found_out(tmp_path: Path) -> None:
    folder = packaged(tmp_path)
    manifest = checkpoint.read(folder, "tuned").manifest
    assert manifest is not None
    other = manifest.canaries[0].model_copy(update={"vector": manifest.canaries[0].vector[::-1]})
    write_manifest(folder, manifest.model_copy(update={"canaries": [other]}))
    with pytest.raises(BadData, match="another vector"):
        package.verify(str(folder))


def test_a_folder_without_a_manifest_cannot_be_verified(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="package"):
        package.verify(str(checkpoints.tiny(tmp_path / "plain")))


def test_publishing_replaces_a_package_as_a_whole(tmp_path: Path) -> None:
    folder = packaged(tmp_path)
    (folder / "left.txt").write_text("of an older package")
    again = packaged(tmp_path)
    assert not (again / "left.txt").exists()
    assert [path.name for path in again.parent.iterdir()] == ["tuned"]


def test_the_zip_is_one_that_the_service_unpacks(tmp_path: Path) -> None:
    folder = packaged(tmp_path)
    package.pack(folder, tmp_path / "tuned.zip")
    archive.unpack(tmp_path / "tuned.zip", tmp_path / "unpacked", 1 << 30)
    assert checkpoint.read(tmp_path / "unpacked", "tuned").id == checkpoint.read(folder, "tuned").id
    with zipfile.ZipFile(tmp_path / "tuned.zip") as packed:
        assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_prompts_that_were_set_are_in_the_saved_model_and_are_used(tmp_path: Path) -> None:
    folder = packaged(tmp_path)
    model = SentenceTransformer(str(folder), device="cpu")
    assert model.prompts["query"] == "ask: "
    assert (model.encode_query("a parcel") == model.encode("ask: a parcel")).all()
    assert (model.encode_query("a parcel") != model.encode("a parcel")).any()


def test_a_service_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NotTaken, match="start the service"):
        delivery.reload("http://127.0.0.1:9", "tuned@0", tmp_path, key=None, quiet=True)


def test_judgements_that_nobody_takes_are_said_so() -> None:
    with pytest.raises(NotTaken, match="start the service"):
        delivery.judge_by("http://127.0.0.1:9", judged.dataset(), "test", collection="default", key=None, source="x")
