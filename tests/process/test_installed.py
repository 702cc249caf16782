"""The wheel, made out of the source distribution, has all that the packages need, and serves where it is installed."""

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tests.support.server import Server

pytestmark = pytest.mark.nightly

ROOT = Path(__file__).parents[2]
PACKAGES = ("instar", "service", "trainer")


def run(*command: str | Path) -> str:
    """What a command prints; it must succeed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", folder)
    return folder / "bin"


@pytest.fixture(scope="module")
def wheel(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel."""
    source = tmp_path_factory.mktemp("source")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(environment / "pip", "install", "build")
    # It makes the source distribution, and the wheel out of that.
    run(environment / "python", "-m", "build", source)
    (made,) = (source / "dist").glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(environment: Path, wheel: Path) -> Path:
    """The programs of the environment with the wheel in it. Packages that it needs are those of this environment."""
    run(environment / "pip", "install", "--no-deps", wheel)
    here = sysconfig.get_path("purelib")
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    there = Path(run(environment / "python", "-c", code).strip())
    # A path that is named so comes last, and no file of its kind there is read: the editable Instar does not count.
    (there / "needed.pth").write_text(f"{here}\n")
    return environment


def test_the_wheel_has_every_file_of_the_packages(wheel: Path) -> None:
    files = [path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()]
    needed = {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}
    assert len(needed) > 400
    assert needed - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_the_command_says_what_it_is(installed: Path) -> None:
    assert run(installed / "instar", "--version") == f"instar {metadata.version('instar')}\n"
    assert "instar serve" in run(installed / "instar", "--help")


def test_it_serves_the_sample(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A shell may lead to the code of the repository by this.
    monkeypatch.delenv("PYTHONPATH", raising=False)
    server = Server(tmp_path, command=True, SAMPLE="true")
    server.program = [str(installed / "instar"), "serve"]
    with server:
        assert server.search("How do I close the day?")
        assert server.client.get("/console/search").status_code == 200
        assert server.client.get("/docs").status_code == 200
