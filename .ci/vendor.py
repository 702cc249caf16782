"""`make vendor`: fetch the libraries of the console and of its tests, at pinned versions, with their licences.

Each package comes from npm's registry and must have the checksum below (Subresource Integrity's form, which
`npm view PACKAGE@VERSION dist.integrity` prints). The files are committed, so that nothing is fetched at run time.
"""

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_BROWSERS = _ROOT / "service" / "console" / "static" / "vendor"
_DOCS = _ROOT / "service" / "api" / "static"
_TESTS = _ROOT / "tests" / "console" / "vendor"
# Package: version, checksum, the folder that it goes into, and the files that are taken, with the names that they get.
_PACKAGES: dict[str, tuple[str, str, Path, dict[str, str]]] = {
    "htmx.org": (
        "2.0.11",
        "sha512-Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==",
        _BROWSERS,
        {"dist/htmx.min.js": "htmx.min.js", "LICENSE": "htmx.LICENSE.txt"},
    ),
    "uplot": (
        "1.6.32",
        "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        _BROWSERS,
        {
            "dist/uPlot.iife.min.js": "uplot.min.js",
            "dist/uPlot.min.css": "uplot.min.css",
            "LICENSE": "uplot.LICENSE.txt",
        },
    ),
    # It looks for barriers in pages, and belongs to no package of Instar.
    "axe-core": (
        "4.14.1",
        "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        _TESTS,
        {"axe.min.js": "axe.min.js", "LICENSE": "axe.LICENSE.txt"},
    ),
    "swagger-ui-dist": (
        "5.35.0",
        "sha512-U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ==",
        _DOCS,
        {
            "swagger-ui-bundle.js": "swagger-ui-bundle.js",
            "swagger-ui.css": "swagger-ui.css",
            "LICENSE": "swagger-ui.LICENSE.txt",
            "NOTICE": "swagger-ui.NOTICE.txt",
            "swagger-ui-bundle.js.LICENSE.txt": "swagger-ui-bundle.js.LICENSE.txt",
        },
    ),
}


def main() -> int:
    """Fetch, check and unpack."""
    for package, (version, checksum, into, files) in _PACKAGES.items():
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=folder, check=True)  # noqa: S603, S607
            (path,) = Path(folder).iterdir()
            content = path.read_bytes()
        actual = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
        if actual != checksum:
            print(f"{package} {version} has the checksum {actual}: look at why before you change it", file=sys.stderr)
            return 1
        with tarfile.open(fileobj=BytesIO(content)) as archive:
            for name, target in files.items():
                member = archive.extractfile(f"package/{name}")
                if member is not None:
                    (into / target).write_bytes(member.read())
        print(f"{package} {version}: {', '.join(files.values())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
