"""Keys that sign checkpoints."""

import subprocess
from pathlib import Path


def key(folder: Path, name: str) -> Path:
    """Make a pair of keys as operators do, NAME.pem and NAME.pub, and return the path of the private one."""
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    return private
