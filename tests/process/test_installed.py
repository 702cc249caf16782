"""The wheel, made out of the source distribution, has all that the packages need, and serves where it is installed."""

import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support import distributions
from tests.support.server import Server

pytestmark = pytest.mark.nightly

ROOT = Path(__file__).parents[2]
PACKAGES = ("instar", "service", "trainer")
DATA = ROOT / "tests" / "support" / "data" / "good_bad.json"


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
def installed(environment: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of the environment with the wheel in it, and with the packages that it needs without an extra.

    These are those of this environment: pip would bring the same, and take minutes.
    """
    run(environment / "pip", "install", "--no-deps", wheel)
    packages = tmp_path_factory.mktemp("packages")
    needed = [each for each in map(Requirement, requirements(wheel)) if each.marker is None]
    distributions.link(distributions.needed(needed).values(), packages)
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    there = Path(run(environment / "python", "-c", code).strip())
    # A path that is named so comes last.
    (there / "needed.pth").write_text(f"{packages}\n")
    return environment


def requirements(wheel: Path) -> list[str]:
    """What the wheel says that it needs, with the extras."""
    with zipfile.ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(files.read(name)).get_all("Requires-Dist", [])


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


@pytest.mark.parametrize(
    "command",
    [
        ("mine", "--format", "good-bad", "--out", "mined"),
        ("train", "--format", "good-bad", "--out", "tuned", "--work", "work"),
        ("evaluate", "all-MiniLM-L6-v2", "--format", "good-bad"),
        ("run", "--format", "good-bad", "--name", "one"),
    ],
    ids=lambda command: command[0],
)
def test_a_command_that_needs_an_extra_says_so(installed: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    name, *flags = command
    data = ["--data", DATA] if name == "run" else [DATA]
    ran = subprocess.run(
        [installed / "instar", "train", name, *flags, *data], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].endswith("pip install 'instar[trainer]'"), ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_command_that_needs_no_extra_works_without_one(installed: Path) -> None:
    assert "queries" in run(installed / "instar", "train", "inspect", DATA, "--format", "good-bad")
