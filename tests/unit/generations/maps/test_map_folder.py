"""Maps outlive the process, and what is damaged or of another generation is no map."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from service.generations.generation import Generation
from service.generations.maps.map_folder import About, Map, MapFolder, PlacedQuestions

DRAWN = Map(
    np.array([3, 5, 9], np.int64),
    np.array([[0, 1], [0.5, -1], [0, 0]], np.float32),
    PlacedQuestions(np.ones((1, 16), np.uint8), np.zeros((1, 2), np.float32), np.array([[5, 3, 0]], np.int64)),
    About(datetime(2026, 11, 29, tzinfo=UTC), 1.5, 4, 9, None),
)


def generation(number: int, model: str = "one") -> Generation:
    index = SimpleNamespace(fingerprint=f"fingerprint of {model}")
    return cast(Generation, SimpleNamespace(number=number, model=model, index=index))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    maps = MapFolder(tmp_path / "maps")
    assert maps.read(generation(1)) is None
    assert maps.write(generation(1), DRAWN)
    kept = MapFolder(tmp_path / "maps").read(generation(1))
    assert kept is not None
    assert kept.about == DRAWN.about
    assert np.array_equal(kept.seqs, DRAWN.seqs)
    assert np.array_equal(kept.positions, DRAWN.positions)
    for name in ("hashes", "positions", "nearest"):
        assert np.array_equal(getattr(kept.questions, name), getattr(DRAWN.questions, name))
    # A number that was left by one generation is another's now.
    assert maps.read(generation(1, "two")) is None


def test_a_damaged_map_is_none(tmp_path: Path) -> None:
    maps = MapFolder(tmp_path)
    maps.write(generation(1), DRAWN)
    path = tmp_path / "generation-1" / "positions.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert maps.read(generation(1)) is None
    assert maps.write(generation(1), DRAWN)
    assert maps.read(generation(1)) is not None


def test_maps_go_with_their_generations(tmp_path: Path) -> None:
    maps = MapFolder(tmp_path)
    maps.sweep({1})
    for number in (1, 2, 10):
        maps.write(generation(number), DRAWN)
    maps.sweep({1, 2})
    assert [maps.read(generation(number)) is None for number in (1, 2, 10)] == [False, False, True]
    maps.forget(1)
    maps.forget(7)
    assert [path.name for path in tmp_path.iterdir()] == ["generation-2"]


def test_what_a_drawing_needs_is_gone_after_it(tmp_path: Path) -> None:
    maps = MapFolder(tmp_path / "maps")
    with maps.incoming() as folder:
        (folder / "vectors.npy").touch()
        maps.sweep({1})
        assert folder.exists()
    assert not folder.exists()
    left: Any = maps.incoming()
    folder = left.__enter__()
    MapFolder(tmp_path / "maps").sweep_leftovers()
    assert not folder.exists()
