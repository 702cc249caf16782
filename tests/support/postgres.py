"""A PostgreSQL of a test's own, where PostgreSQL is installed."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), shutil.which("initdb"))


@contextmanager
def running() -> Iterator[str]:
    """The URL of a new database, as SQLAlchemy writes it. Its server does not run as root."""
    assert POSTGRES is not None
    programs = Path(POSTGRES).parent
    folder = Path(mkdtemp(prefix="instar-postgres-"))
    user = "nobody" if folder.owner() == "root" else folder.owner()
    shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL, timeout=60)

    run("initdb", "--no-sync", "--auth=trust", "--username=docsgpt", "--encoding=UTF8", "--locale=C")
    try:
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", f"-k {folder} -c listen_addresses= -F", "start")
        try:
            yield f"postgresql+psycopg://docsgpt@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
