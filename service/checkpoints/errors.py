"""The errors about checkpoints that several files raise or show."""

from collections.abc import Sequence

from service.errors import CheckpointRefused, Conflict, InvalidRequest, NotFound


def not_in_folder(model: str, folder: str, known: Sequence[str], param: str = "model") -> NotFound:
    """The checkpoints folder has no `model`, which the field `param` names; `known` are the names that it has."""
    return NotFound(f"there is no checkpoint {model!r} in {folder}/: there are {', '.join(known)}", param)


def not_listed(name: str) -> NotFound:
    """No listed checkpoint is called `name`."""
    return NotFound(f"there is no checkpoint {name[:80]!r}: GET /admin/models lists them", "name")


def has_no_report(name: str) -> NotFound:
    """The checkpoint `name` came without a report."""
    return NotFound(
        f"the checkpoint {name[:80]!r} has no report: `instar train run` puts one into its packages, unless"
        " --no-report says otherwise",
        "name",
    )


def is_bundled(name: str) -> Conflict:
    """The checkpoint `name` comes with the service."""
    return Conflict(f"{name} is bundled with the service and cannot be deleted", "name")


def is_folder(name: str, folder: str) -> Conflict:
    """A folder that people edit has the name of an upload."""
    return Conflict(f"{name} is a folder in {folder}: upload under another name, or remove the folder", "name")


def empty_upload() -> InvalidRequest:
    """An upload has no bytes."""
    return InvalidRequest("the body is empty: send the zip of a checkpoint")


def no_modules() -> CheckpointRefused:
    """modules.json is an empty list."""
    return CheckpointRefused("modules.json names no modules: save the model again")


def leaves_its_folder(finding: str, path: str) -> CheckpointRefused:
    """A path in a checkpoint leads out of its folder; `finding` says where the path stands."""
    return CheckpointRefused(f"{finding} {path!r}, which leaves its folder: do not trust its source")
