"""Promise 6: a bad checkpoint never answers; it is refused with the reason, and nothing changes."""

import io
import json
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from service.checkpoints.manifest import MANIFEST, Canary, Manifest, ScoredPair, write_manifest
from tests.support import checkpoints
from tests.support.server import Server

Spoil = Callable[[Path], None]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoints: Path) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("refusals"), MODEL="one", LIMITS__CHECKPOINT=20_000_000)
    server.checkpoints.mkdir()
    (server.checkpoints / "one").symlink_to(tiny_checkpoints / "one")
    checkpoints.tiny_reranker(server.checkpoints / "lark")
    with server:
        server.put_documents({"a": "a document that stays"})
        assert server.reload_reranker("lark")["state"] == "done"
        yield server


def flip_byte(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def pickle_weights(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def bring_code(folder: Path) -> None:
    (folder / "modeling_own.py").write_text("raise SystemExit('this ran')")
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = "modeling_own.Own"
    (folder / "modules.json").write_text(json.dumps(modules))


def ask_for_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modeling_own.Own"}
    (folder / "config.json").write_text(json.dumps(config))


def foreign_module(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = "os.path.Pooling"
    (folder / "modules.json").write_text(json.dumps(modules))


def escape(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = "../one/1_Pooling"
    (folder / "modules.json").write_text(json.dumps(modules))


def not_a_number(folder: Path) -> None:
    change_weights(folder, lambda tensor: torch.full_like(tensor, float("nan")))


def vanish(folder: Path) -> None:
    change_weights(folder, torch.zeros_like, only="encoder.layer.1.output.LayerNorm")


def collapse(folder: Path) -> None:
    change_weights(folder, torch.zeros_like, only="encoder.layer.1.output.LayerNorm.weight")
    change_weights(folder, torch.ones_like, only="encoder.layer.1.output.LayerNorm.bias")


def change_weights(folder: Path, change: Callable[[torch.Tensor], torch.Tensor], only: str = "") -> None:
    path = folder / "model.safetensors"
    changed = {name: change(tensor) if only in name else tensor for name, tensor in load_file(path).items()}
    save_file(changed, path, metadata={"format": "pt"})


def truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def not_json(folder: Path) -> None:
    (folder / "modules.json").write_text("[{")


def no_modules(folder: Path) -> None:
    (folder / "modules.json").unlink()
    (folder / "config.json").unlink()


def add_file(folder: Path) -> None:
    (folder / "1_Pooling" / "extra.json").write_text("{}")


def other_canary(folder: Path) -> None:
    vector = np.ones(32, dtype=np.float32) / np.sqrt(32)
    canary = Canary(text="The parcel was returned.", side="document", vector=vector.tolist())
    checkpoints.with_manifest(folder, [canary])


def other_format(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["format"] = 2
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("spoil", "manifest", "reason"),
    [
        (flip_byte, True, "the manifest says"),
        (pickle_weights, False, "pickled"),
        (pickle_weights, True, "pickled"),
        (bring_code, False, "custom code"),
        (ask_for_code, False, "custom code"),
        (foreign_module, False, "custom code"),
        (escape, False, "leaves its folder"),
        (not_a_number, False, "not finite"),
        (vanish, False, "length zero"),
        (collapse, False, "collapsed"),
        (truncate, False, "cannot be loaded"),
        (no_weights, False, "weights of the model are missing"),
        (no_weights, True, "lacks model.safetensors"),
        (not_json, False, "malformed"),
        (no_modules, False, "not a sentence-transformers model"),
        (add_file, True, "does not name: 1_Pooling/extra.json"),
        (other_canary, False, "canary"),
        (other_format, True, "instar.json is malformed"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_a_bad_checkpoint_is_refused_and_nothing_changes(
    running: Server, tiny_checkpoints: Path, spoil: Spoil, manifest: bool, reason: str
) -> None:
    folder = running.checkpoints / "bad"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(tiny_checkpoints / "two", folder)
    if manifest:
        checkpoints.with_manifest(folder)
    spoil(folder)
    before = running.state()
    job = running.reload("bad")
    assert (job["state"], job["generation"]) == ("refused", None), job
    assert reason in job["reason"]
    # Callers learn nothing of where things are.
    assert str(running.folder) not in job["reason"]
    assert running.state() == before
    assert running.search("a document that stays", k=1)[0]["score"] > 0.999
    assert not any(path.name.startswith("bad") for path in (running.data / "checkpoints").iterdir())


def no_difference(folder: Path) -> None:
    change_weights(folder, torch.zeros_like, only="classifier.weight")


def embed_instead(folder: Path) -> None:
    shutil.rmtree(folder)
    checkpoints.tiny(folder)


def other_scored_pair(folder: Path) -> None:
    pair = ScoredPair(query="When do parcels come?", text="On Monday.", logit=40.0)
    write_manifest(folder, Manifest(name=folder.name, files={}, kind="reranker", pairs=[pair]))


def damaged(folder: Path) -> None:
    write_manifest(folder, Manifest(name=folder.name, files={}, kind="reranker"))
    flip_byte(folder)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (not_a_number, "not finite"),
        (no_difference, "gives every text the score"),
        (truncate, "cannot be loaded"),
        (no_weights, "weights of the model are missing"),
        (pickle_weights, "pickled"),
        (ask_for_code, "custom code"),
        (embed_instead, 'POST /admin/reload {"model": "bad-reranker"}'),
        (other_scored_pair, "gives a canary the score"),
        (damaged, "the manifest says"),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_a_bad_reranker_is_refused_and_the_former_one_goes_on(running: Server, spoil: Spoil, reason: str) -> None:
    folder = running.checkpoints / "bad-reranker"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(running.checkpoints / "lark", folder)
    spoil(folder)
    before = running.state()
    scores = running.post("/rerank", {"query": "Who stays?", "texts": ["a document", "nobody at all"]})
    job = running.reload_reranker("bad-reranker", by_default=True)
    assert (job["state"], job["generation"]) == ("refused", None), job
    assert reason in job["reason"]
    assert str(running.folder) not in job["reason"]
    assert running.state() == before
    answer = running.client.post("/rerank", json={"query": "Who stays?", "texts": ["a document", "nobody at all"]})
    assert (answer.json(), answer.headers["X-Instar-Reranker"]) == (scores, before["info"]["reranker"]["model"])
    assert "reranker" not in running.post("/search", {"query": "a document"})
    assert not any(path.name.startswith("bad") for path in (running.data / "checkpoints").iterdir())


def test_the_same_checkpoint_unspoilt_is_accepted(running: Server, tiny_checkpoints: Path) -> None:
    folder = running.checkpoints / "good"
    shutil.copytree(tiny_checkpoints / "two", folder)
    checkpoints.with_manifest(folder)
    assert running.reload("good")["state"] == "done"
    assert running.post("/admin/rollback")["model"].startswith("one@")


@pytest.mark.parametrize("name", ["../one", "..", "/etc", "a/../../b", "", ".hidden", "x" * 65, "one\0", "a\\b", "ä"])
def test_a_name_that_is_none_is_refused_at_once(running: Server, name: str) -> None:
    before = running.state()
    response = running.client.post("/admin/reload", json={"model": name})
    assert response.status_code == 422
    assert response.json()["error"]["param"] == "model"
    assert running.state() == before


def test_an_unknown_name_is_an_error_that_lists_what_there_is(running: Server) -> None:
    response = running.client.post("/admin/reload", json={"model": "nothing"})
    assert response.status_code == 404
    assert "one" in response.json()["error"]["message"]


def test_a_model_of_the_hub_is_not_downloaded_unless_allowed(running: Server) -> None:
    job = running.reload("some-org/some-model")
    assert job["state"] == "refused"
    assert "INSTAR_ALLOW_HUB" in job["reason"]


def test_a_reload_that_does_not_fit_is_refused_before_the_work(tmp_path: Path, tiny_checkpoints: Path) -> None:
    for setting, words in (("HEADROOM__MEMORY", "of memory"), ("HEADROOM__DISK", "of disk")):
        server = Server(tmp_path / setting, MODEL="one")
        server.checkpoints.mkdir(parents=True)
        for name in ("one", "two"):
            (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
        with server:
            pass
        server.settings[setting] = 1 << 50
        with server:
            job = server.reload("two")
            assert (job["state"], job["done"]) == ("refused", 0)
            assert words in job["reason"]


class TestUpload:
    """`PUT /admin/models/{name}`: hostile zips."""

    def test_an_uploaded_zip_can_be_reloaded(self, running: Server, tiny_checkpoints: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(tiny_checkpoints / "two", tmp_path / "made")
        checkpoints.with_manifest(folder)
        archive = checkpoints.zipped(folder, tmp_path / "made.zip").read_bytes()
        response = running.client.put("/admin/models/uploaded", content=archive)
        assert response.status_code == 201, response.text
        assert running.reload("uploaded")["checkpoint"] == response.json()["model"]
        assert response.json()["model"].startswith("uploaded@")
        running.post("/admin/rollback")
        listed = {model["name"]: model for model in running.get("/admin/models")["models"]}
        assert listed["uploaded"]["model"] == response.json()["model"]

    @pytest.mark.parametrize(
        ("entries", "reason"),
        [
            ({"../evil.json": b"{}"}, "leaves its folder"),
            ({"/etc/evil.json": b"{}"}, "leaves its folder"),
            ({"a/../../evil.json": b"{}"}, "leaves its folder"),
            ({"C:\\evil.json": b"{}"}, "leaves its folder"),
            ({"model.bin": b"x"}, "unknown kind"),
            ({"run.py": b"x"}, "unknown kind"),
            ({"no_suffix": b"x"}, "unknown kind"),
            ({"bomb.json": b" " * 15_000_000}, "times its size"),
            ({f"{n}.safetensors": bytes(range(256)) * 40_000 for n in range(3)}, "more than"),
            ({f"{n}.json": b"{}" for n in range(1001)}, "files, more than"),
            ({"x" * 300 + ".json": b"{}"}, "name of over"),
            ({"a.json": b"{}", "a.json/b.json": b"{}"}, "one name"),
            ({"readme.md": b"nothing else"}, "not a sentence-transformers model"),
            ({}, "empty"),
        ],
        ids=lambda value: value if isinstance(value, str) else None,
    )
    def test_a_bad_zip_is_refused(self, running: Server, entries: dict[str, bytes], reason: str) -> None:
        self._refused(running, _zip(entries), reason)

    def test_a_link_is_refused(self, running: Server) -> None:
        link = zipfile.ZipInfo("config.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        self._refused(running, _zip({}, [(link, b"/etc/passwd")]), "link")

    def test_a_name_that_is_there_twice_is_refused(self, running: Server) -> None:
        pair = [(zipfile.ZipInfo("a.json"), b"{}"), (zipfile.ZipInfo("a.json"), b"[]")]
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive = _zip({}, pair)
        self._refused(running, archive, "twice")

    def test_what_is_no_zip_is_refused(self, running: Server, tiny_checkpoints: Path, tmp_path: Path) -> None:
        self._refused(running, b"PK but not really", "cannot be read")
        whole = checkpoints.zipped(tiny_checkpoints / "two", tmp_path / "two.zip").read_bytes()
        self._refused(running, whole[: len(whole) // 2], "cannot be read")
        damaged = bytearray(whole)
        damaged[len(damaged) // 2] ^= 0xFF
        self._refused(running, bytes(damaged), "cannot be read")

    def test_an_upload_over_the_limit_is_cut_off(self, running: Server) -> None:
        response = running.client.put("/admin/models/huge", content=b"x" * 21_000_000)
        assert response.status_code == 413
        assert _names(running) == _names(running)

    def test_a_name_must_be_one(self, running: Server) -> None:
        for name in ("..", ".hidden", "x" * 65, "a%2F..%2Fb"):
            assert running.client.put(f"/admin/models/{name}", content=b"x").status_code in (404, 405, 422)

    def test_a_folder_is_not_replaced_by_an_upload(self, running: Server) -> None:
        response = running.client.put("/admin/models/one", content=_zip({"a.json": b"{}"}))
        assert response.status_code == 409

    def _refused(self, running: Server, archive: bytes, reason: str) -> None:
        before = _names(running)
        response = running.client.put("/admin/models/refused", content=archive)
        assert response.status_code == 422, response.text
        assert reason in response.json()["error"]["message"]
        assert _names(running) == before


def _names(running: Server) -> list[str]:
    return sorted(
        path.name for folder in (running.checkpoints, running.data / "checkpoints") for path in folder.iterdir()
    )


def _zip(entries: dict[str, bytes], more: list[tuple[zipfile.ZipInfo, bytes]] | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        for entry, content in more or []:
            archive.writestr(entry, content)
    return buffer.getvalue()
