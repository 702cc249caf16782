"""The processor that a model is trained on."""

import torch

# The names that torch has for such instructions: two of x86, one of ARM.
_BF16 = ("avx512_bf16", "amx_bf16", "bf16")


def has_bf16() -> bool:
    """Whether this processor has instructions for bf16."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in _BF16)
