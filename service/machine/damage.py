"""Checksums of derived files, which tell damage. They are no protection against somebody who writes the files.

XXH3 of 128 bits (https://xxhash.com) reads a file four times as fast as SHA-256, which former versions listed.
"""

import hashlib
from pathlib import Path

import xxhash

from service.machine import files

_SHA256_DIGITS = 64


def checksum(path: Path) -> str:
    """The checksum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, xxhash.xxh3_128).hexdigest()


def checksum_of(content: bytes) -> str:
    """The checksum of a file with that content, in hexadecimal digits."""
    return xxhash.xxh3_128(content).hexdigest()


def is_whole(path: Path, listed: str) -> bool:
    """Whether a file has the `listed` checksum, which may be one of a former version."""
    return listed == (files.checksum(path) if len(listed) == _SHA256_DIGITS else checksum(path))
