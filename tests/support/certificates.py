"""Certificates for a service with TLS."""

import subprocess
from pathlib import Path


def certificate(folder: Path, name: str) -> None:
    """Write a self-signed certificate for 127.0.0.1 into `folder`, as `tls.crt` and `tls.key`."""
    command = f"openssl req -x509 -newkey ed25519 -nodes -days 2 -subj /CN={name} -addext subjectAltName=IP:127.0.0.1"
    files = ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
