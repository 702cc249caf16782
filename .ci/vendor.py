"""`make vendor`: fetch the libraries that the console gives to browsers, at pinned versions, with their licences.

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

_INTO = Path(__file__).parents[1] / "service" / "console" / "static" / "vendor"
# Package: version, checksum, and the files that are taken, with the names that they get.
_PACKAGES: dict[str, tuple[str, str, dict[str, str]]] = {
    "htmx.org": (
        "2.0.11",
        "sha512-Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFvBTqjnIMCgELTNt636dtamA==",
        {"dist/htmx.min.js": "htmx.min.js", "LICENSE": "htmx.LICENSE.txt"},
    ),
    "uplot": (
        "1.6.32",
        "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        {
            "dist/uPlot.iife.min.js": "uplot.min.js",
            "dist/uPlot.min.css": "uplot.min.css",
            "LICENSE": "uplot.LICENSE.txt",
        },
    ),
}


def main() -> int:
    """Fetch, check and unpack."""
    _INTO.mkdir(parents=True, exist_ok=True)
    for package, (version, checksum, files) in _PACKAGES.items():
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
                    (_INTO / target).write_bytes(member.read())
        print(f"{package} {version}: {', '.join(files.values())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
