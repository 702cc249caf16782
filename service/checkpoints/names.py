"""The names that a checkpoint may have."""

import re

from service.errors import InvalidRequest

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(name: str, param: str = "model") -> str:
    """Return `name` if a checkpoint can have it; else raise InvalidRequest, which names the field `param`."""
    if not NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name[:80]!r} cannot be the name of a checkpoint: use 1 to 64 letters, digits, '.', '_' and '-',"
            " beginning with a letter or digit",
            param,
        )
    return name
