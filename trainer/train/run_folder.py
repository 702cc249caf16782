"""The folder of a training: whose it is, what another training may take, and what a training leaves in it.

A training notes in `run.json` which one it is. A folder without that note is somebody else's, so it is written first
and in one step, and deleted last.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from service.machine import files
from trainer.data import fetching
from trainer.errors import BadData

RUN = "run.json"
FIT = "budget.json"
TUNED = "tuned.safetensors"
# The folder with the data that was fetched for the run, which comes before the run and outlives it.
DATA = "data"
# A training that was killed while it wrote its note leaves this beginning of it.
_BEGINNING = files.beginning_of(Path(RUN)).name


def begins(folder: Path, identity: Mapping[str, str], *, resume: bool) -> bool:
    """Whether a run of this identity begins anew in `folder`. The data that was fetched for it may be there.

    With `resume`, a run of this identity must be there, or that data alone. Raises BadData if that is not so, or if the
    folder holds other files than those of a run.
    """
    require_of_runs(folder)
    if not goes_on(folder, resume=resume):
        return True
    former = _noted(folder)
    if not former:
        if former is not None and _others(folder):
            raise BadData(f"{folder / RUN} cannot be read, so nobody knows what it goes on with: leave out --resume")
        if former is None and not (folder / DATA).exists():
            raise BadData(f"there is no run in {folder} to resume: leave out --resume")
        return True
    if former != identity:
        changed = ", ".join(key for key in {**identity, **former} if former.get(key) != identity.get(key))
        raise BadData(f"the run in {folder} had another {changed}: give what it had, or leave out --resume")
    return False


def goes_on(folder: Path, *, resume: bool) -> bool:
    """Whether a command with `resume` goes on with the run in the folder. Data that waits there is that of a new one,
    which clears the folder."""
    return resume and not fetching.has(fetching.incoming(folder / DATA))


def require_of_runs(folder: Path) -> None:
    """Raise BadData if the folder holds other files than those of a run, which are not a trainer's to delete."""
    if _noted(folder) is None and _others(folder):
        raise BadData(f"{folder} holds files of something else than a run: name another folder with --work")


def begin(folder: Path, identity: Mapping[str, str]) -> None:
    """Claim `folder` for a run of this identity, with the data that was fetched for it. Those of a former run are
    deleted.

    The note comes after the data, so that what waits beside the note of a run is never its own.
    """
    note = folder / RUN
    files.sweep(folder)
    for path in _files(folder):
        if path != note:
            # Half of a state must not be resumed from.
            files.delete_folder(path) if path.is_dir() else path.unlink()
    note.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    fetching.settle(folder / DATA)
    files.replace_file(note, json.dumps(dict(identity)))


def release(folder: Path) -> None:
    """Leave the folder as it was before a run that did not begin to train claimed it."""
    (folder / RUN).unlink()
    # One that holds anything stays, and so does a link or a mount point.
    with suppress(OSError):
        folder.rmdir()


def holds_run(folder: Path) -> bool:
    """Whether a run has claimed the folder, however far it came."""
    return (folder / RUN).is_file()


def require_spare(folder: Path) -> None:
    """Raise BadData if the folder holds more than a training that has ended, or has not begun, leaves behind."""
    if any(path.name not in (FIT, TUNED) for path in _others(folder)):
        raise BadData(
            f"there is already an unfinished training or a run in {folder}: go on with it by --resume, name another"
            " folder with --work, or replace it with --replace"
        )


def _noted(folder: Path) -> dict[str, Any] | None:
    """The identity of the run in `folder`: None if there is none, and empty if nobody can read it."""
    try:
        noted = json.loads((folder / RUN).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
    return noted if isinstance(noted, dict) else {}


def _files(folder: Path) -> list[Path]:
    """All in the folder but the data that is fetched for a run."""
    data = (DATA, fetching.incoming(folder / DATA).name)
    return [path for path in folder.iterdir() if path.name not in data] if folder.exists() else []


def _others(folder: Path) -> list[Path]:
    """All in the folder beside the data and the note of a run."""
    return [path for path in _files(folder) if path.name not in (RUN, _BEGINNING)]
