"""The names of settings' variables, and remarks on variables that are set by a wrong name."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from service.settings import Settings
from service.settings.former import FORMER, GONE, PREFIX
from service.settings.groups import Group

# Where clients find a service, and with which key (instar.client).
_OF_CLIENTS = {"INSTAR_URL", "INSTAR_KEY"}


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence about a variable. `wrong`: its value has no effect."""

    text: str
    wrong: bool


def group_of(field: FieldInfo) -> type[Group] | None:
    """Return the group that a field holds, or None if it is a setting itself."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Group) else None


def variables(model: type[BaseModel] = Settings, prefix: str = PREFIX) -> Iterator[tuple[str, FieldInfo]]:
    """Yield the variable and the field of every setting, in the order of the documentation."""
    for name, field in model.model_fields.items():
        group = group_of(field)
        if group is None:
            yield prefix + name.upper(), field
        else:
            yield from variables(group, f"{prefix}{name.upper()}__")


def remarks(environment: Iterable[str]) -> Iterator[Remark]:
    """Yield a remark on each variable that is named like a setting and is none: the setting that is meant."""
    fields = dict(variables())
    # A whole group may be set as one JSON object.
    groups = {PREFIX + name.upper() for name, field in Settings.model_fields.items() if group_of(field) is not None}
    # Settings are read in any case.
    names = sorted({name.upper() for name in environment if name.upper().startswith(PREFIX)} - _OF_CLIENTS)
    for name in names:
        if name in FORMER:
            yield _renamed(name, FORMER[name], both=FORMER[name] in names)
        elif name in GONE:
            yield Remark(f"{name} is no setting any more: {GONE[name]}", wrong=True)
        elif name not in fields and name not in groups:
            closest = next(iter(get_close_matches(name, [*fields, *FORMER], 1)), None)
            meant = FORMER.get(closest, closest) if closest else None
            advice = f"is {meant} meant?" if meant else "see the settings in the README"
            yield Remark(f"{name} is no setting: {advice}", wrong=True)


def _renamed(former: str, name: str, *, both: bool) -> Remark:
    if both:
        return Remark(f"{former} is the former name of {name}, which is set and counts: remove {former}", wrong=True)
    return Remark(f"{former} is called {name} now: rename it, the next release knows the new name alone", wrong=False)


def spelled(location: Iterable[int | str], environment: Iterable[str]) -> str:
    """Return the variable of a field, by the name that the environment has: the present one or a former one."""
    name = PREFIX + "__".join(map(str, location)).upper()
    names = {variable.upper() for variable in environment}
    former = next((former for former, new in FORMER.items() if new == name and former in names), name)
    return name if name in names else former
