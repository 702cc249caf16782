"""Signatures of checkpoints, which prove who made them (Ed25519, RFC 8032).

A signature stands in the manifest. It covers the rest of the manifest, and so the hash of every other file. Keys are in
PEM, as `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write them.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from pydantic import JsonValue

from service.checkpoints.checkpoint import Checkpoint
from service.checkpoints.manifest import MANIFEST, Manifest
from service.errors import CheckpointRefused, InstarError

_FIELD = "signature"
# none: not signed; unchecked: signed, and no keys are there to check that; trusted: signed by one of the trusted keys.
Signature = Literal["none", "unchecked", "trusted"]
# Signed together with the manifest, so that a signature of anything else fits no checkpoint.
_CONTEXT = b"instar checkpoint\n"
_MAKE = "openssl genpkey -algorithm ed25519 -out trainer.pem"
_PUBLIC = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)


class SigningKeyError(InstarError):
    """A file of signing keys cannot be used."""


class Signer:
    """Signs manifests."""

    def __init__(self, path: Path) -> None:
        """Sign with the private key in the file; raises SigningKeyError."""
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        # cryptography raises TypeError for a key with a password.
        except (OSError, ValueError, TypeError) as error:
            raise SigningKeyError(f"{path} cannot be read ({error}): make a key with {_MAKE}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise SigningKeyError(f"{path} holds a key of another kind than Ed25519: make one with {_MAKE}")
        self._key = key

    def __call__(self, content: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The manifest with a new signature, which replaces an earlier one."""
        content = {name: value for name, value in content.items() if name != _FIELD}
        return {**content, _FIELD: base64.b64encode(self._key.sign(_signed(content))).decode()}


class Signers:
    """The public keys of the people whose checkpoints are loaded."""

    def __init__(self, keys: Sequence[Ed25519PublicKey]) -> None:
        self._keys = keys

    @classmethod
    def read(cls, path: Path) -> "Signers":
        """Read the public keys in the file, one after the other; raises SigningKeyError."""
        try:
            public_keys = [load_pem_public_key(pem) for pem in _PUBLIC.findall(path.read_bytes())]
        except (OSError, ValueError) as error:
            raise SigningKeyError(f"{path} cannot be read ({error}): write public keys in PEM into it") from error
        keys = [key for key in public_keys if isinstance(key, Ed25519PublicKey)]
        if not keys or len(keys) < len(public_keys):
            raise SigningKeyError(
                f"{path} must hold public Ed25519 keys in PEM and nothing else: openssl pkey -in trainer.pem -pubout"
                " writes one"
            )
        return cls(keys)

    def require(self, checkpoint: Checkpoint) -> None:
        """Raise CheckpointRefused unless one of the keys has signed the verified `checkpoint`."""
        content: dict[str, JsonValue] = {}
        if checkpoint.manifest is not None:
            content = json.loads((checkpoint.folder / MANIFEST).read_bytes())
        encoded = content.pop(_FIELD, None)
        if not isinstance(encoded, str):
            raise CheckpointRefused(
                f"{checkpoint.id} is not signed, and INSTAR_SIGNERS_FILE allows only signed checkpoints: package it"
                " with --sign-with"
            )
        try:
            signature = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            signature = b""
        if not any(_fits(key, signature, _signed(content)) for key in self._keys):
            raise CheckpointRefused(
                f"{checkpoint.id} is signed with a key that INSTAR_SIGNERS_FILE does not name, or was altered since:"
                " add the key if you trust its owner, and do not load the checkpoint otherwise"
            )


def has_signature(manifest: Manifest | None) -> bool:
    """Whether a manifest has a signature, be it true or not."""
    return manifest is not None and _FIELD in (manifest.model_extra or {})


def _signed(content: Mapping[str, JsonValue]) -> bytes:
    return _CONTEXT + json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _fits(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
