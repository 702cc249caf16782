"""Models of Hugging Face, from its cache on this machine or from the network."""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from service.checkpoints.contents import FILE_KINDS, REPORT
from service.checkpoints.names import NAME
from service.errors import NotFound

# Weights for other libraries.
_IGNORED = ["onnx/*", "openvino/*"]


def is_hub_name(model: str) -> bool:
    """Whether `model` has the form of a Hugging Face name, OWNER/NAME."""
    return model.count("/") == 1 and all(NAME.fullmatch(part) for part in model.split("/"))


def hub_folder(model: str, *, allow_download: bool) -> Path:
    """The folder of the Hugging Face model; raises NotFound if it is not on this machine and cannot be downloaded."""
    try:
        return Path(
            snapshot_download(
                model,
                local_files_only=not allow_download,
                # Code is left out, because it is refused anyway.
                allow_patterns=[*(f"*{kind}" for kind in sorted(FILE_KINDS)), REPORT],
                ignore_patterns=_IGNORED,
            )
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError) as error:
        remedy = (
            "check the name and the network"
            if allow_download
            else "set INSTAR_ALLOW_HUB=true to download it, or put it into the checkpoints folder"
        )
        raise NotFound(f"the Hugging Face model {model!r} is not on this machine: {remedy}", "model") from error
