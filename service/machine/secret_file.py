"""Secrets of the service in files of its data folder, which their first use makes and their owner alone can read."""

import secrets
from pathlib import Path

from service.errors import StorageFailed
from service.machine.files import replace_file

SECRET_BYTES = 32


def read_secret(path: Path, damaged: str) -> bytes | None:
    """Return the secret in the file, or None without a file.

    Raises StorageFailed if the file cannot be read, or holds no secret: then `damaged`, which follows the path, says
    so, and what to do.
    """
    try:
        secret = bytes.fromhex(path.read_text("ascii"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageFailed(f"{path} cannot be read ({error.strerror}): let this user read it") from error
    except ValueError as error:
        raise StorageFailed(f"{path} {damaged}") from error
    if len(secret) != SECRET_BYTES:
        raise StorageFailed(f"{path} {damaged}")
    return secret


def make_secret(path: Path) -> bytes:
    """Make a secret of 32 random bytes in a new file, of mode 0600. Raises StorageFailed if that fails."""
    secret = secrets.token_bytes(SECRET_BYTES)
    try:
        replace_file(path, secret.hex(), mode=0o600)
    except OSError as error:
        raise StorageFailed(f"{path} cannot be written ({error.strerror}): let this user write there") from error
    return secret
