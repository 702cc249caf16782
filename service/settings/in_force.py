"""The settings as they are in force, each with the variable or the default that it comes from. Secrets stay secret."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, HttpUrl, SecretStr, TypeAdapter

from service.settings import Settings
from service.settings.former import FORMER, PREFIX
from service.settings.names import group_of

Origin = Literal["default", "environment", "argument"]
_ANY: TypeAdapter[Any] = TypeAdapter(Any)


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """One setting: its variable, its value as JSON, where that comes from, and what it means.

    `secret`: the value is never shown; then `is_set` says whether there is one. `set_by` is the variable that was set,
    which may have a former name or hold a whole group, or None.
    """

    name: str
    value: Any
    default: Any
    origin: Origin
    set_by: str | None
    is_set: bool
    secret: bool
    meaning: str


def settings_in_force(settings: Settings, environment: Mapping[str, str]) -> Iterator[SettingInForce]:
    """Yield every setting, in the order of the documentation. `environment` is the one that they were read from."""
    variables = {name.upper(): name for name in environment}
    yield from _of(settings, PREFIX, variables, ())


def _of(
    model: BaseModel, prefix: str, variables: Mapping[str, str], whole: tuple[str, ...]
) -> Iterator[SettingInForce]:
    """Yield the settings of a model; `whole` names the variables that hold it as a whole."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        variable = prefix + name.upper()
        if group_of(field) is not None:
            yield from _of(value, f"{variable}__", variables, (variable,))
            continue
        is_given = name in model.model_fields_set
        former = next((former for former, present in FORMER.items() if present == variable), None)
        # A former name counts only if the present one is not set.
        candidates = [variable, *filter(None, [former]), *whole]
        set_by = next((variables[each] for each in candidates if each in variables), None)
        secret = isinstance(value, SecretStr) or "SecretStr" in str(field.annotation)
        yield SettingInForce(
            name=variable,
            value=None if secret else _shown(value),
            default=None if secret else _shown(field.default),
            origin="default" if not is_given else "argument" if set_by is None else "environment",
            set_by=set_by if is_given else None,
            is_set=value is not None,
            secret=secret,
            meaning=field.description or "",
        )


def _shown(value: Any) -> Any:
    """Return the value as JSON. Of an address only the host is shown, because its path may be a password."""
    if isinstance(value, HttpUrl):
        return f"{value.scheme}://{value.host}/…"
    return _ANY.dump_python(value, mode="json")
