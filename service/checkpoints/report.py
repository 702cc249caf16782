"""The report of a checkpoint (`report.html`), which people read and nothing computes with.

It is somebody's page, so it may hold anything: whoever shows it must not let it run.
"""

import zipfile
from pathlib import Path, PurePosixPath

from service.checkpoints.contents import REPORT
from service.errors import CheckpointRefused

# A report of 10,000 test questions has 6 MB.
MAX_REPORT = 16_000_000


def require_short(path: Path) -> None:
    """Raise CheckpointRefused if the report at `path` has over MAX_REPORT bytes."""
    size = path.stat().st_size
    if size > MAX_REPORT:
        raise CheckpointRefused(
            f"{REPORT} has {size} bytes, and {MAX_REPORT} are allowed: package the checkpoint with --no-report"
        )


def read_report(path: Path) -> bytes:
    """The report in the folder or zip of a checkpoint, unverified; empty if there is none."""
    if path.is_dir():
        report = path / REPORT
        if not report.is_file():
            return b""
        with report.open("rb") as file:
            return file.read(MAX_REPORT)
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if PurePosixPath(name).name == REPORT]
        if not names:
            return b""
        # All files may lie in one folder of the zip.
        with archive.open(min(names, key=len)) as packed:
            return packed.read(MAX_REPORT)
