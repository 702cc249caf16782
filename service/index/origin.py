"""The corpus that graphs, words and maps of a data folder were made of: those of another one have other numbers."""

import logging
from uuid import UUID

from service.errors import StorageFailed
from service.machine import files
from service.settings.data_folder import DataFolder

log = logging.getLogger(__name__)


def require_origin(folder: DataFolder, store: UUID | None) -> None:
    """Delete what was derived from another corpus than `store`; None is the corpus in the folder itself.

    Raises StorageFailed if it cannot be deleted.
    """
    former = folder.origin.read_text("ascii").strip() if folder.origin.exists() else ""
    origin = "" if store is None else str(store)
    if former == origin:
        return
    log.info("the graphs, words and maps in %s are of another corpus: they are deleted", folder.path)
    forget_derived(folder)
    if store is None:
        folder.origin.unlink()
    else:
        files.replace_file(folder.origin, origin)


def forget_derived(folder: DataFolder) -> None:
    """Delete the graphs, words and maps, whose documents would be taken for those with their numbers in another corpus.

    Raises StorageFailed if they cannot be deleted.
    """
    for derived in (folder.graphs, folder.words, folder.maps):
        try:
            files.empty_folder(derived)
        except OSError as error:
            raise StorageFailed(
                f"{derived} is of another corpus and cannot be deleted ({error}): delete it, then try again"
            ) from error
