"""Keys to sign with, as operators make them."""

import subprocess
from pathlib import Path


def key(folder: Path, name: str) -> Path:
    """A pair of keys as operators make them: NAME.pem and NAME.pub."""
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    return private
