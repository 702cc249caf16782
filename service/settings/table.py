"""`docs/settings.md`: every setting with its default and meaning, and the former names."""

import inspect
from itertools import groupby

from pydantic.fields import FieldInfo

from service.settings import Settings
from service.settings.former import FORMER, PREFIX
from service.settings.names import group_of, variables

_HEAD = """\
# Settings

<!-- written by `python -m service.settings --table` -->

Settings are environment variables, and all of them begin with `INSTAR_`. Sizes are in bytes, texts in characters. A
start warns of names that are no setting. `instar check` tests beforehand whether the service would start."""
_TABLE = "| variable | default | meaning |\n|---|---|---|"
_FORMER = """\
## Former names

Settings had these names before there were groups. They go on working for one release, and a start warns of each with
its new name. If both are set, the new one counts.

| former name | name |
|---|---|"""


def page() -> str:
    """Return the text of `docs/settings.md`."""
    parts = [_HEAD]
    for group, rows in groupby(variables(), key=lambda variable: _group(variable[0])):
        parts += [_title(group), "\n".join([_TABLE, *(row(name, field) for name, field in rows)])]
    parts.append("\n".join([_FORMER, *(f"| `{former}` | `{name}` |" for former, name in FORMER.items())]))
    return "\n\n".join(parts) + "\n"


def row(name: str, field: FieldInfo) -> str:
    """Return a line of the table."""
    default = field.default
    shown = "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
    return f"| `{name}` | {f'`{shown}`' if shown else ''} | {field.description} |"


def _group(variable: str) -> str:
    group, separator, _ = variable.partition("__")
    return group.removeprefix(PREFIX).lower() if separator else ""


def _title(group: str) -> str:
    if not group:
        return "## Set by many"
    kind = group_of(Settings.model_fields[group])
    return f"## {group.upper()}\n\n{inspect.getdoc(kind)}"
