"""The refusals of maps."""

from service.errors import Conflict, NotFound

MISSING = "maps are computed with openTSNE, which is not installed: pip install 'instar[map]', then restart the service"


def library_missing() -> Conflict:
    """The optional library that computes maps is not installed."""
    return Conflict(MISSING)


def map_under_way(generation: int) -> Conflict:
    """The map of that generation is being drawn, and there is one at a time."""
    return Conflict(
        f"the map of generation {generation} is being drawn: wait for it, or stop it with DELETE"
        f" /admin/maps/{generation}"
    )


def nothing_to_draw(generation: int) -> Conflict:
    """The generation has no document."""
    return Conflict(f"generation {generation} has no documents: write some with POST /documents, then draw its map")


def no_map(generation: int) -> NotFound:
    """The generation has no map."""
    return NotFound(f"generation {generation} has no map yet: POST /admin/maps draws it", "generation")


def no_point(generation: int, point: int) -> NotFound:
    """The document was deleted or has another text now."""
    return NotFound(
        f"the map of generation {generation} has no document {point}: it was deleted or has another text since", "point"
    )
