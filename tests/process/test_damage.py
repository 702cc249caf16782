"""What a start makes of a data folder that the disk has damaged."""

import shutil
from pathlib import Path

import pytest

from tests.support.server import Server
from tests.support.waiting import until


@pytest.fixture
def own(tmp_path: Path, tiny_checkpoints: Path) -> Server:
    server = Server(tmp_path, MODEL="one")
    server.checkpoints.mkdir()
    for name in ("one", "two"):
        (server.checkpoints / name).symlink_to(tiny_checkpoints / name)
    return server


def test_a_corpus_that_lost_writes_is_told_of_and_their_vectors_are_not_taken_for_others(own: Server) -> None:
    own.start()
    own.put_documents({"a": "the first document"})
    own.reload("two")
    own.kill()
    earlier = own.folder / "earlier"
    earlier.mkdir()
    for path in own.data.glob("corpus.db*"):
        shutil.copy(path, earlier)
    own.start()
    own.put_documents({"b": "lost by the disk"})
    # So that the vectors of both checkpoints have it.
    own.post("/admin/rollback")
    own.kill()
    for path in own.data.glob("corpus.db*"):
        path.unlink()
    for path in earlier.iterdir():
        shutil.copy(path, own.data)
    with own:
        assert any("the disk has lost what was written between" in line for line in own.output)
        own.put_documents({"c": "written after the loss"})
        own.post("/admin/rollback")
        (first, _) = own.search("written after the loss")
        assert first["id"] == "c"
        assert first["score"] == pytest.approx(1, abs=1e-5)


def test_a_damaged_and_a_deleted_vector_file_cost_no_document(own: Server) -> None:
    own.start()
    texts = {f"d{number}": f"document number {number}" for number in range(300)}
    own.put_documents(texts)
    own.reload("two")
    own.stop()
    one, two = sorted((own.data / "vectors").glob("*.db"), key=lambda path: path.stat().st_size)
    one.unlink()
    content = bytearray(two.read_bytes())
    for place in range(5000, len(content), 9000):
        content[place] ^= 4
    two.write_bytes(content)
    with own:
        assert any("are embedded again" in line for line in own.output)
        for other in (1, 2):
            for identity in ("d0", "d150", "d299"):
                best = own.search(texts[identity], k=1)[0]
                assert (best["id"], best["score"]) == (identity, pytest.approx(1, abs=1e-5))
            assert len(own.search("document", k=1000)) == 300
            own.post("/admin/rollback", {"generation": other})


def test_damaged_words_cost_no_document(own: Server) -> None:
    """Enough documents for some to be sealed, and some not."""
    texts = {f"d{number}": f"document number{number}" for number in range(4096)}
    with own:
        own.put_documents(texts)
        sealed = own.data / "words"
        # Files that no commit lists yet are not read at a start, so that nothing would be damaged.
        until(lambda: ".idx" in (sealed / "checksums.json").read_text())
        own.put_documents({"late": "number0 again"})
        own.kill()
    (words,) = sealed.glob("*.idx")
    content = bytearray(words.read_bytes())
    content[len(content) // 2] ^= 4
    words.write_bytes(content)
    with own:
        assert any("the index of words is damaged" in line for line in own.output)
        for query, ids in (("number0", {"d0", "late"}), ("number4095", {"d4095"})):
            assert {hit["id"] for hit in own.search(query, mode="keyword")} == ids
