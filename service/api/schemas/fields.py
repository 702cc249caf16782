"""Descriptions of fields that several answers have, taken from the models that define the fields."""

from typing import Any

from service.checkpoints.manifest import Manifest
from service.corpus.base import GenerationRecord

FINGERPRINT = GenerationRecord.model_fields["fingerprint"].description
ACTIVATED_BY = GenerationRecord.model_fields["activated_by"].description
LINEAGE = Manifest.model_fields["lineage"].description


def lower(value: Any) -> Any:
    """A string in small letters: clients of text-embeddings-inference differ in how they spell a word."""
    return value.lower() if isinstance(value, str) else value
