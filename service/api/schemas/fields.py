"""Descriptions of fields that several answers have, taken from the models that define the fields."""

from service.checkpoints.manifest import Manifest
from service.corpus.base import GenerationRecord

FINGERPRINT = GenerationRecord.model_fields["fingerprint"].description
ACTIVATED_BY = GenerationRecord.model_fields["activated_by"].description
LINEAGE = Manifest.model_fields["lineage"].description
