"""The trainer delivers packages and judgements to a running service."""

from pathlib import Path

import pytest

from service.checkpoints import checkpoint
from tests.models.trainer.test_package import packaged
from tests.support import checkpoints, judged
from tests.support.server import Server
from trainer.__main__ import main
from trainer.data import beir
from trainer.ship import delivery
from trainer.ship.delivery import NotTaken


@pytest.mark.parametrize("seen", [True, False])
def test_a_package_is_delivered_by_name_or_sent(tmp_path: Path, seen: bool) -> None:
    checkpoints.tiny(tmp_path / "service" / "checkpoints" / "one")
    folder = packaged(tmp_path)
    if seen:
        folder = folder.rename(tmp_path / "service" / "checkpoints" / "tuned")
    identity = checkpoint.read(folder, "tuned").id
    with Server(tmp_path / "service", MODEL="one", ADMIN_KEY="a", API_KEY="d") as server:
        job = delivery.reload(str(server.client.base_url), identity, folder, key="a", quiet=True)
        assert (job["state"], job["checkpoint"]) == ("done", identity)
        generations = delivery.generations(str(server.client.base_url), key="a")
        assert sorted(generations.values()) == [1, 2]
        assert generations[identity] == job["generation"] == 2
        assert delivery.generations(str(server.client.base_url), key="wrong") == {}
        with pytest.raises(NotTaken, match="401"):
            delivery.reload(str(server.client.base_url), identity, folder, key="wrong", quiet=True)


def test_judgements_are_sent_to_a_collection_that_is_there_and_leave_the_others_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = judged.dataset()
    beir.write(data, tmp_path / "data")
    checkpoints.tiny(tmp_path / "service" / "checkpoints" / "one")
    send = ["send", str(tmp_path / "data"), "--format", "beir", "--collection"]
    with Server(tmp_path / "service", MODEL="one") as server:
        texts = {identity: document.text for identity, document in data.corpus.items()}
        server.put_documents(dict(list(texts.items())[:-1]), collection="docs")
        server.put_documents({"unrelated": "of another kind"}, collection="notes")
        other = {"query": "a", "document": "unrelated", "good": True, "collection": "notes", "provenance": None}
        server.post("/admin/judgements", {"judgements": [other]})
        server.post(
            "/admin/judgements",
            {"judgements": [{"query": "of a former send", "document": "good0", "good": True, "collection": "docs"}]},
        )
        url = ["--url", str(server.client.base_url)]
        before = server.get("/admin/judgements")
        for collection, told in (("docsgtp", "there are docs, notes"), ("notes", "none of the documents")):
            assert main([*send, collection, *url]) == 1
            assert told in capsys.readouterr().err
            assert server.get("/admin/judgements") == before
        assert main([*send, "docs", *url]) == 0
        assert "8 added, 0 changed, 1 removed in docs" in capsys.readouterr().out
        assert main([*send, "docs", *url]) == 0
        assert "0 added, 0 changed, 0 removed in docs" in capsys.readouterr().out
        kept = server.get("/admin/judgements")["judgements"]
        of_notes = [each for each in kept if each["collection"] == "notes"]
        assert of_notes == [each for each in before["judgements"] if each["collection"] == "notes"]
        assert [{name: each[name] for name in other} for each in of_notes] == [other]
        server.post("/documents/delete", {"ids": ["good5", "bad5"], "collection": "docs"})
        assert main([*send, "docs", *url]) == 0
        assert "3 judgements do not count" in capsys.readouterr().out
