"""A copy that is not as its source is noticed, whatever differs, and never counts as a whole one."""

from collections.abc import Callable

import pytest

from service.errors import StorageFailed
from service.process import check
from service.settings import Settings
from service.settings.data_folder import DataFolder
from service.wiring.moving import folder, schema
from service.wiring.moving.comparison import compare
from service.wiring.moving.folder_target import FolderTarget
from service.wiring.moving.move import Differs
from service.wiring.moving.schema_target import SchemaTarget
from service.wiring.stores import open_stores
from tests.contract.moving.conftest import Schema, quiet, to_folder, to_schema

DAMAGE = {
    "counters": "UPDATE counters SET last_generation = 7",
    "documents": "UPDATE documents SET text = text || 'x'::bytea WHERE seq = (SELECT min(seq) FROM documents)",
    "collections": "UPDATE collections SET written = written + interval '1 microsecond' WHERE name = 'default'::bytea",
    "judgements": "UPDATE judgements SET good = NOT good WHERE said_by = 'bob'::bytea",
    "sides": "DELETE FROM sides WHERE node = (SELECT node FROM sides ORDER BY 1 LIMIT 1)",
    "sketches": "UPDATE sketches SET sketch = ''::bytea WHERE node = (SELECT node FROM sketches ORDER BY 1 LIMIT 1)",
    "bands": "DELETE FROM bands WHERE band = (SELECT band FROM bands ORDER BY 1 LIMIT 1)",
    "generations": "UPDATE generations SET activation = 9 WHERE number = 1",
    "notes": "INSERT INTO notes VALUES ('more'::bytea, ''::bytea)",
    "jobs": "UPDATE jobs SET state = 'running' WHERE state = 'queued'",
    "asked": "UPDATE asked SET query = query || ' ' WHERE number = 1",
    "searches": "UPDATE searches SET user_hash = NULL WHERE id = 's-11'",
    "events": "UPDATE events SET value = 12.500001 WHERE id = 'e2'",
    "dropped": "DELETE FROM dropped WHERE asked = 1",
    "daily": "UPDATE daily SET empty = empty + 1 WHERE asked = 1",
}


def test_a_changed_row_is_named_by_its_kind(data: DataFolder, new_schema: Callable[[], Schema]) -> None:
    place = new_schema()
    to_schema(data, place)
    for kind, statement in DAMAGE.items():
        place.change(statement)
        with (
            folder.reading(data) as source,
            schema.reading(place.url, place.name, place.secrets) as copy,
        ):
            differing = {each.kind for each in compare(source, copy, quiet) if not each.is_equal}
        assert kind in differing
        assert differing <= {*DAMAGE}


def test_a_changed_vector_is_named_by_its_fingerprint(data: DataFolder, new_schema: Callable[[], Schema]) -> None:
    place = new_schema()
    moved = to_schema(data, place)
    place.change("UPDATE vectors_1 SET vectors = set_byte(vectors, 0, 255 - get_byte(vectors, 0)) WHERE seq = 5")
    place.change(
        "DELETE FROM windowings WHERE store = (SELECT max(store) FROM windowings) AND collection = 'default'::bytea"
    )
    with folder.reading(data) as source, schema.reading(place.url, place.name, place.secrets) as copy:
        differing = {each.kind for each in compare(source, copy, quiet) if not each.is_equal}
    kinds = sorted(each.kind for each in moved.compared if " of " in each.kind)
    assert differing == {kinds[0], kinds[-1]}


def test_a_schema_that_differs_is_not_committed(
    data: DataFolder, new_schema: Callable[[], Schema], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = new_schema()
    with monkeypatch.context() as patched:
        patched.setattr(SchemaTarget, "put_windowings", lambda *_: None)
        with pytest.raises(Differs, match="the copy differs in windowings of"):
            to_schema(data, place)
    to_schema(data, place)


def test_a_folder_that_differs_is_not_served_and_begun_anew(
    data: DataFolder, new_schema: Callable[[], Schema], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, back = new_schema(), DataFolder(data.path.with_name("back"))
    to_schema(data, place)
    with monkeypatch.context() as patched:
        patched.setattr(FolderTarget, "put_windowings", lambda *_: None)
        with pytest.raises(Differs):
            to_folder(place, back)
    settings = Settings(data_dir=back.path)
    with pytest.raises(StorageFailed, match="has not ended: move again"):
        open_stores(settings)
    assert [finding.text for finding in check.findings(settings, {}) if "has not ended" in finding.text]
    with pytest.raises(StorageFailed, match="has not ended"), folder.reading(back):
        pass
    to_folder(place, back)
    stores = open_stores(settings)
    assert stores.corpus.documents.last_seq() == 500
    stores.feedback.close()
    stores.corpus.close()


def test_a_move_that_is_interrupted_leaves_a_schema_empty(
    data: DataFolder, new_schema: Callable[[], Schema], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = new_schema()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(SchemaTarget, "put_counters", interrupted)
        with pytest.raises(KeyboardInterrupt):
            to_schema(data, place)
    with place.connected() as connection:
        assert connection.execute("SELECT count(*) FROM documents").fetchall() == [(0,)]
    to_schema(data, place)
