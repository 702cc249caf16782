"""The sealed part knows when a search needs no condition, which costs it Tantivy's shortcut to the best."""

from pathlib import Path

from service.index.keywords.folder import WordFolder
from service.index.keywords.fresh import Row


def test_a_collection_is_alone_however_often_it_was_sealed(tmp_path: Path) -> None:
    folder = WordFolder(tmp_path)
    for seq in range(1, 4):
        sealed = folder.add([Row(seq, "default", ["kazu"])], (), seq - 1, seq)
        assert sealed.has_only("default")
        assert not sealed.has_only("other")
    sealed = folder.add([Row(4, "other", ["kazu"])], (), 3, 4)
    assert not sealed.has_only("default")
    assert sealed.complete_to == 4
