"""The mark on a data folder that a move has not filled yet: no service starts there."""

from service.errors import StorageFailed
from service.settings.data_folder import DataFolder


def refuse_unfinished(folder: DataFolder) -> None:
    """Raise StorageFailed if a move to the folder has not ended."""
    if folder.unfinished.exists():
        raise StorageFailed(
            f"a move to {folder.path} has not ended: move again, which begins anew, or name another folder"
        )
