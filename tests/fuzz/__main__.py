"""`make fuzz`: for as long as you like, with keys and without."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.fuzz.run import furnish, fuzz
from tests.support.server import Server


def main() -> int:
    """Returns 1 if a check fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="time, half of it with keys and half without")
    given = parser.parse_args()
    failed = 0
    for key in ("a-key", None):
        with tempfile.TemporaryDirectory(prefix="instar-fuzz-") as folder:
            keys: dict[str, Any] = {} if key is None else {"ADMIN_KEY": key, "API_KEY": "another"}
            with Server(Path(folder), command=True, SAMPLE="true", **keys) as server:
                furnish(server, key)
                ran = fuzz(server, key, "--max-time", str(round(30 * given.minutes)), "--workers", "2")
                print(ran.stdout, ran.stderr, file=sys.stderr)
                failed |= ran.returncode
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(main())
